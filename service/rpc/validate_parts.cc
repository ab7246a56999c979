#include "service/rpc/validate_parts.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"

namespace pilothouse::service {
namespace {

constexpr size_t kMaxKnobNameBytes = 64;
constexpr int32_t kNanosPerSecond = 1'000'000'000;

std::string Below(absl::string_view field, absl::string_view name) {
  return field.empty() ? std::string(name) : absl::StrCat(field, ".", name);
}

absl::Status CheckText(const std::string& text, size_t limit, absl::string_view field) {
  const bool clean = std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(c); });
  if (clean && text.size() <= limit) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field,
                   absl::StrCat(field, " has at most ", limit, " bytes and no control characters."));
}

absl::Status CheckOptions(const v1::ControlOptions& options) {
  if (absl::Status id = CheckRequestId(options.request_id(), "options.request_id"); !id.ok()) return id;
  if (absl::Status origin = CheckText(options.origin(), kMaxOriginBytes, "options.origin"); !origin.ok()) return origin;
  if (absl::Status note = CheckText(options.note(), kMaxNoteBytes, "options.note"); !note.ok()) return note;
  if (options.has_at_batch() && (options.at_batch() < 0 || options.at_batch() > kMaxTarget)) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "options.at_batch",
                     absl::StrCat("at_batch must lie between 0 and 2^53; got ", options.at_batch(), "."));
  }
  return absl::OkStatus();
}

absl::Status CheckpointsInvalid(const std::string& field, absl::string_view rule, const std::string& value) {
  return MakeError(v1::ERROR_REASON_CHECKPOINTS_INVALID, field, absl::StrCat(field, " ", rule, "; got ", value, "."),
                   {{"value", value}});
}

bool IsInterval(const google::protobuf::Duration& interval) {
  const bool normal = interval.nanos() >= 0 && interval.nanos() < kNanosPerSecond && interval.seconds() >= 0;
  const bool longest = interval.seconds() == kMaxCheckpointIntervalSeconds && interval.nanos() == 0;
  return normal && (interval.seconds() < kMaxCheckpointIntervalSeconds || longest);
}

}  // namespace

absl::Status CheckRequestId(absl::string_view request_id, absl::string_view field) {
  const bool printable =
      std::all_of(request_id.begin(), request_id.end(), [](char c) { return absl::ascii_isprint(c); });
  // These name the controls that services, trainers and plugins make themselves.
  const bool reserved = absl::StartsWith(request_id, "service-") || absl::StartsWith(request_id, "trainer-") ||
                        absl::StartsWith(request_id, "plugin-");
  if (printable && !reserved && request_id.size() <= kMaxRequestIdBytes) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_REQUEST_ID_INVALID, field,
      absl::StrCat(
          "A request_id has at most ", kMaxRequestIdBytes,
          " printable ASCII characters, and begins neither with \"service-\" nor with \"trainer-\" or \"plugin-\"."));
}

absl::Status TargetInvalid(absl::string_view field, int64_t value, absl::string_view least) {
  return MakeError(v1::ERROR_REASON_TARGET_INVALID, field,
                   absl::StrCat("The target must be a whole number from ", least, " to 2^53; got ", value, "."),
                   {{"value", absl::StrCat(value)}});
}

absl::Status CheckBatch(int64_t batch, absl::string_view field) {
  if (batch >= 0 && batch <= kMaxTarget) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, field,
                   absl::StrCat("A batch lies between 0 and 2^53; got ", batch, "."),
                   {{"batch", absl::StrCat(batch)}, {"first_batch", "0"}, {"last_batch", absl::StrCat(kMaxTarget)}});
}

absl::Status CheckKnob(const v1::KnobChange& knob, absl::string_view field) {
  if (knob.name().empty() || knob.name().size() > kMaxKnobNameBytes) {
    return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, Below(field, "name"),
                     "Name the knob to set; the run's state lists its knobs.",
                     {{"name", Shortened(knob.name(), kMaxKnobNameBytes)}});
  }
  if (knob.follow_schedule() && knob.name() != "eta") {
    return MakeError(v1::ERROR_REASON_ETA_SCHEDULE_INVALID, Below(field, "follow_schedule"),
                     "Of all knobs, only eta has a schedule.", {{"name", knob.name()}});
  }
  if (std::isfinite(knob.value())) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_KNOB_OUT_OF_RANGE, Below(field, "value"),
                   absl::StrCat("The value of ", knob.name(), " must be finite; got ", knob.value(), "."),
                   {{"name", knob.name()}, {"value", absl::StrCat(knob.value())}});
}

absl::Status CheckCheckpoints(const v1::CheckpointSpec& checkpoints, absl::string_view field) {
  if (!IsInterval(checkpoints.interval())) {
    const google::protobuf::Duration& interval = checkpoints.interval();
    return CheckpointsInvalid(Below(field, "interval"), "lies between 0 and 7 days",
                              absl::StrCat(interval.seconds(), " s and ", interval.nanos(), " ns"));
  }
  if (checkpoints.has_keep_last() && (checkpoints.keep_last() < 1 || checkpoints.keep_last() > kMaxCheckpointsKept)) {
    return CheckpointsInvalid(Below(field, "keep_last"), absl::StrCat("lies between 1 and ", kMaxCheckpointsKept),
                              absl::StrCat(checkpoints.keep_last()));
  }
  if (checkpoints.keep_every() < 0) {
    return CheckpointsInvalid(Below(field, "keep_every"), "is 0 or more", absl::StrCat(checkpoints.keep_every()));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Control> WithOptions(v1::Change change, const v1::ControlOptions& options) {
  if (absl::Status valid = CheckOptions(options); !valid.ok()) return valid;
  v1::Control control;
  *control.mutable_change() = std::move(change);
  control.set_request_id(options.request_id());
  if (options.has_at_batch()) control.set_at_batch(options.at_batch());
  control.set_origin(options.origin());
  control.set_note(options.note());
  return control;
}

}  // namespace pilothouse::service
