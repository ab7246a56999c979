#include "trainer/loop/target.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view rule, int64_t value) {
  return MakeError(v1::ERROR_REASON_TARGET_INVALID, field, absl::StrCat(rule, "; got ", value, "."),
                   {{"value", absl::StrCat(value)}});
}

}  // namespace

absl::Status CheckTargetChange(const TargetChange& change) {
  if (change.kind == TargetChange::Kind::kBatch && (change.count < 0 || change.count > kMaxTarget)) {
    return Invalid("target.batch", "A target is a whole number from 0 to 2^53", change.count);
  }
  if (change.kind == TargetChange::Kind::kMore && (change.count < 1 || change.count > kMaxTarget)) {
    return Invalid("target.more", "How many batches more is a whole number from 1 to 2^53", change.count);
  }
  return absl::OkStatus();
}

absl::Status Target::Apply(const TargetChange& change, int64_t batch) {
  if (absl::Status status = CheckTargetChange(change); !status.ok()) return status;
  int64_t next = 0;
  switch (change.kind) {
    case TargetChange::Kind::kBatch:
      next = change.count;
      break;
    case TargetChange::Kind::kMore:
      if (change.count > kMaxTarget - batch) {
        return Invalid("target.more", absl::StrCat("From batch ", batch, " on, the target would lie beyond 2^53"),
                       change.count);
      }
      next = batch + change.count;
      break;
    case TargetChange::Kind::kPause:
      next = batch;
      break;
    case TargetChange::Kind::kResume:
      next = now_.resume_batch;
      break;
  }
  now_.batch = next;
  now_.paused = change.kind == TargetChange::Kind::kPause;
  if (next > batch) {
    now_.resume_batch = next;
    now_.diverged = false;
  }
  return absl::OkStatus();
}

IdleReason Target::IdleReasonAt(int64_t batch) const {
  if (now_.diverged) return IdleReason::kDiverged;
  if (now_.batch > batch) return IdleReason::kNone;
  return now_.paused || now_.batch < batch ? IdleReason::kPaused : IdleReason::kTargetReached;
}

}  // namespace pilothouse::trainer
