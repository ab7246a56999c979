// Requests about a run's past: checkpoints, taking it back, forking it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "service/rpc/validate.h"
#include "service/rpc/validate_parts.h"
#include "service/rpc/validate_plugin.h"
#include "service/runs/run_id.h"

namespace pilothouse::service {
namespace {

// Knobs that a fork can change; a run has far fewer.
constexpr int kMaxForkKnobs = 64;
constexpr size_t kShownNameBytes = 64;

absl::Status CheckForkNames(const v1::ForkRequest& request) {
  if (!request.new_run_id().empty() && !IsName(request.new_run_id())) {
    const std::string shown = Shortened(request.new_run_id(), kShownNameBytes);
    return MakeError(v1::ERROR_REASON_RUN_ID_INVALID, "new_run_id",
                     absl::StrCat("A run id has 1 to 63 characters out of a-z, 0-9 and '-', and does not begin with "
                                  "'-'; got \"",
                                  shown, "\"."),
                     {{"run_id", shown}});
  }
  return CheckRequestId(request.request_id(), "request_id");
}

absl::Status CheckForkBatches(const v1::ForkRequest& request) {
  if (request.has_batch()) {
    if (absl::Status batch = CheckBatch(request.batch(), "batch"); !batch.ok()) return batch;
  }
  if (request.has_target() && (request.target() < request.batch() || request.target() > kMaxTarget)) {
    return TargetInvalid("target", request.target(), absl::StrCat(request.batch()));
  }
  if (request.has_more() && (request.more() < 1 || request.more() > kMaxTarget)) {
    return TargetInvalid("more", request.more(), "1");
  }
  if (request.has_more() && request.has_target()) {
    return MakeError(v1::ERROR_REASON_TARGET_INVALID, "more",
                     "Say how far the fork is to train either as a target or as so many batches more, not as both.",
                     {{"value", absl::StrCat(request.more())}});
  }
  return absl::OkStatus();
}

absl::Status CheckForkKnobs(const v1::ForkRequest& request) {
  if (request.knobs_size() > kMaxForkKnobs) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "knobs",
                     absl::StrCat("A fork changes at most ", kMaxForkKnobs, " knobs; got ", request.knobs_size(), "."));
  }
  for (int i = 0; i < request.knobs_size(); ++i) {
    if (absl::Status knob = CheckKnob(request.knobs(i), absl::StrCat("knobs[", i, "]")); !knob.ok()) return knob;
  }
  return absl::OkStatus();
}

absl::Status CheckForkPlugins(const v1::ForkRequest& request) {
  if (request.detach_plugins_size() > kMaxPlugins) {
    return MakeError(v1::ERROR_REASON_TOO_MANY_PLUGINS, "detach_plugins",
                     absl::StrCat("A run has at most ", kMaxPlugins, " plugins."),
                     {{"limit", absl::StrCat(kMaxPlugins)}});
  }
  for (int i = 0; i < request.detach_plugins_size(); ++i) {
    absl::Status name = CheckPluginName(request.detach_plugins(i), absl::StrCat("detach_plugins[", i, "]"));
    if (!name.ok()) return name;
  }
  return CheckPlugins(request.attach_plugins(), "attach_plugins");
}

}  // namespace

absl::StatusOr<v1::Control> ToControl(const v1::SaveCheckpointRequest& request) {
  v1::Change change;
  change.mutable_checkpoint()->set_pin(request.pin());
  return WithOptions(std::move(change), request.options());
}

absl::StatusOr<v1::Control> ToControl(const v1::RewindRequest& request) {
  if (absl::Status batch = CheckBatch(request.batch(), "batch"); !batch.ok()) return batch;
  if (!request.branch().empty() && !IsName(request.branch())) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, "branch",
                     absl::StrCat("A branch's name has 1 to 63 characters out of a-z, 0-9 and '-', and does not begin "
                                  "with '-'; got \"",
                                  Shortened(request.branch(), kShownNameBytes), "\"."));
  }
  v1::Change change;
  change.mutable_rewind()->set_batch(request.batch());
  change.mutable_rewind()->set_branch(request.branch());
  return WithOptions(std::move(change), request.options());
}

absl::Status CheckFork(const v1::ForkRequest& request) {
  if (request.ByteSizeLong() > kMaxSpecBytes) {
    return MakeError(v1::ERROR_REASON_REQUEST_TOO_LARGE, "",
                     absl::StrCat("The description of a fork has at most ", kMaxSpecBytes, " bytes."),
                     {{"limit_bytes", absl::StrCat(kMaxSpecBytes)}});
  }
  absl::Status valid = CheckForkNames(request);
  if (valid.ok()) valid = CheckForkBatches(request);
  if (valid.ok()) valid = CheckForkKnobs(request);
  if (valid.ok()) valid = CheckForkPlugins(request);
  return valid;
}

}  // namespace pilothouse::service
