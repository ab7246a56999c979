#include "service/runs/death_notice.h"

#include "absl/strings/str_cat.h"

namespace pilothouse::service {
namespace {

std::string HowItEnded(const Death& death) {
  return absl::StrCat("The trainer ended", death.how.empty() ? " while no service was there to see how" : ": ",
                      death.how, ".");
}

std::string WhereItGoesOn(const v1::Run& run) {
  if (!run.has_checkpoint_batch()) return "its beginning";
  // A newer one than the run is of a branch.
  if (run.checkpoint_batch() > run.batch()) return "an earlier checkpoint";
  return absl::StrCat("its checkpoint at batch ", run.checkpoint_batch());
}

std::string Log(const Death& death) {
  return death.log.empty() ? "" : absl::StrCat(" Its log ends with:\n", death.log);
}

}  // namespace

std::string StartedAgainNotice(const Death& death, const v1::Run& run) {
  return absl::StrCat(HowItEnded(death), " It is started again from ", WhereItGoesOn(run), ", attempt ", death.restarts,
                      " of ", death.most, ".", Log(death));
}

std::string FailedNotice(const Death& death) {
  const std::string tried =
      death.restarts == 0 ? ""
                          : absl::StrCat(" It had been started again ", death.restarts,
                                         death.restarts == 1 ? " time" : " times", " without the run coming further.");
  return absl::StrCat(HowItEnded(death), tried, Log(death));
}

}  // namespace pilothouse::service
