// What is checked of requests about a run's past.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "service/rpc/validate.h"
#include "service/rpc/validate_parts.h"

namespace pilothouse::service {
namespace {

v1::ErrorReason ReasonForRewind(int64_t batch, const std::string& branch) {
  v1::RewindRequest request;
  request.set_batch(batch);
  request.set_branch(branch);
  return ReasonOf(ToControl(request).status());
}

v1::ErrorReason ReasonForFork(const std::function<void(v1::ForkRequest&)>& change) {
  v1::ForkRequest request;
  request.set_run_id("parent");
  change(request);
  return ReasonOf(CheckFork(request));
}

v1::ErrorReason ReasonForCheckpoints(const std::function<void(v1::CheckpointSpec&)>& change) {
  v1::StartRunRequest request;
  change(*request.mutable_spec()->mutable_checkpoints());
  return ReasonOf(CheckStartRun(request));
}

TEST(ValidatePast, ACheckpointMayBePinnedAndAskedForAtABatch) {
  v1::SaveCheckpointRequest request;
  request.set_pin(true);
  request.mutable_options()->set_at_batch(9);
  const auto control = ToControl(request);
  ASSERT_TRUE(control.ok()) << control.status();
  EXPECT_TRUE(control->change().checkpoint().pin());
  EXPECT_EQ(control->at_batch(), 9);
}

TEST(ValidatePast, ARewindLeadsToABatchThatThereMayBeAndNamesABranchThatCanBeTyped) {
  EXPECT_EQ(ReasonForRewind(0, ""), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForRewind(kMaxTarget, "high-eta"), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForRewind(-1, ""), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonForRewind(kMaxTarget + 1, ""), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  for (const char* name : {"High", "-a", "a b", "*"}) {
    EXPECT_EQ(ReasonForRewind(0, name), v1::ERROR_REASON_SPEC_INVALID) << name;
  }
}

TEST(ValidatePast, AForkChecksItsNameItsBatchesItsKnobsAndItsPlugins) {
  EXPECT_EQ(ReasonForFork([](auto&) {}), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.set_new_run_id("No!"); }), v1::ERROR_REASON_RUN_ID_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.set_request_id("service-1"); }), v1::ERROR_REASON_REQUEST_ID_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.set_batch(-1); }), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.set_target(-1); }), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.set_more(0); }), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              fork.set_target(9);
              fork.set_more(9);
            }),
            v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              fork.set_batch(10);
              fork.set_target(9);
            }),
            v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.add_knobs(); }), v1::ERROR_REASON_KNOB_UNKNOWN);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              fork.add_knobs()->set_name("eta");
              fork.mutable_knobs(0)->set_value(std::nan(""));
            }),
            v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              for (int i = 0; i < 65; ++i) fork.add_knobs()->set_name("eta");
            }),
            v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              fork.add_knobs()->set_name("loss_every");
              fork.mutable_knobs(0)->set_follow_schedule(true);
            }),
            v1::ERROR_REASON_ETA_SCHEDULE_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.add_detach_plugins("No!"); }), v1::ERROR_REASON_PLUGIN_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) { fork.add_attach_plugins()->set_name("No!"); }),
            v1::ERROR_REASON_PLUGIN_INVALID);
  EXPECT_EQ(ReasonForFork([](auto& fork) {
              fork.add_knobs()->set_name("eta");
              fork.set_branch(std::string(2 << 20, 'b'));
            }),
            v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

TEST(ValidatePast, AKnobOfAForkIsBlamedByItsPlace) {
  v1::ForkRequest request;
  request.add_knobs()->set_name("eta");
  request.add_knobs();
  EXPECT_EQ(ToError(CheckFork(request)).field(), "knobs[1].name");
}

TEST(ValidatePast, CheckpointsLieInTheirRanges) {
  EXPECT_EQ(ReasonForCheckpoints([](auto&) {}), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) {
              spec.mutable_interval()->set_seconds(kMaxCheckpointIntervalSeconds);
              spec.set_keep_last(kMaxCheckpointsKept);
              spec.set_every(-1);
            }),
            v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) { spec.mutable_interval()->set_seconds(-1); }),
            v1::ERROR_REASON_CHECKPOINTS_INVALID);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) { spec.mutable_interval()->set_nanos(-1); }),
            v1::ERROR_REASON_CHECKPOINTS_INVALID);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) {
              spec.mutable_interval()->set_seconds(kMaxCheckpointIntervalSeconds);
              spec.mutable_interval()->set_nanos(1);
            }),
            v1::ERROR_REASON_CHECKPOINTS_INVALID);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) { spec.set_keep_last(0); }), v1::ERROR_REASON_CHECKPOINTS_INVALID);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) { spec.set_keep_last(1001); }), v1::ERROR_REASON_CHECKPOINTS_INVALID);
  EXPECT_EQ(ReasonForCheckpoints([](auto& spec) { spec.set_keep_every(-1); }), v1::ERROR_REASON_CHECKPOINTS_INVALID);
}

TEST(ValidatePast, AStartHasNoParent) {
  v1::StartRunRequest request;
  request.mutable_spec()->mutable_parent()->set_run_id("parent");
  EXPECT_EQ(ReasonOf(CheckStartRun(request)), v1::ERROR_REASON_SPEC_INVALID);
}

}  // namespace
}  // namespace pilothouse::service
