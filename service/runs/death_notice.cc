#include "service/runs/death_notice.h"

#include "absl/strings/str_cat.h"
#include "proto/support/exit_code.h"

namespace pilothouse::service {
namespace {

std::string HowItEnded(const Death& death) {
  if (death.told_to_end()) {
    // Whether it could make a checkpoint, its exit code does not say: the disk may be full.
    return "The trainer ended, as it was told to, or since no service came.";
  }
  return absl::StrCat("The trainer ended", death.how.empty() ? ", and nobody saw how" : ": ", death.how, ".");
}

std::string WhereItGoesOn(const Death& death) {
  return death.checkpoint.has_value() ? absl::StrCat("its checkpoint at batch ", *death.checkpoint) : "its beginning";
}

std::string TrainedAgain(const Death& death) {
  if (!death.checkpoint.has_value() || death.batch <= *death.checkpoint) return "";
  return absl::StrCat(", and trains batches ", *death.checkpoint + 1, " to ", death.batch, " again");
}

std::string Log(const Death& death) {
  return death.log.empty() ? "" : absl::StrCat(" Its log ends with:\n", death.log);
}

}  // namespace

bool Death::told_to_end() const { return how == absl::StrCat("exit code ", kExitSuspended); }

std::string StartedAgainNotice(const Death& death) {
  const std::string attempt = death.told_to_end() ? "" : absl::StrCat(", attempt ", death.restarts, " of ", death.most);
  return absl::StrCat(HowItEnded(death), " It is started again from ", WhereItGoesOn(death), attempt,
                      TrainedAgain(death), ".", Log(death));
}

std::string OnItsWayNotice(int64_t batch, int64_t run_batch, const std::string& why) {
  return absl::StrCat("Its trainer is on its way to where the run was: at batch ", batch, " of ", run_batch, ". ", why);
}

std::string GoingBackNotice(int64_t batch, int64_t run_batch) {
  return absl::StrCat("It is on its way to batch ", run_batch, ", to which it was taken back: at batch ", batch, ".");
}

std::string FailedNotice(const Death& death) {
  const std::string tried =
      death.restarts == 0 ? ""
                          : absl::StrCat(" It had been started again ", death.restarts,
                                         death.restarts == 1 ? " time" : " times", " without the run coming further.");
  return absl::StrCat(HowItEnded(death), tried, Log(death));
}

}  // namespace pilothouse::service
