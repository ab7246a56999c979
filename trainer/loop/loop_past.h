// Test support: what a journal would hold of a run, and how another trainer would go on from it.
#ifndef PILOTHOUSE_TRAINER_LOOP_LOOP_PAST_H_
#define PILOTHOUSE_TRAINER_LOOP_LOOP_PAST_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/loop/report.h"
#include "trainer/loop/resume.h"

namespace pilothouse::trainer {

inline const CheckpointOutcome* WrittenCheckpoint(const Report& report) {
  const auto* checkpoint = std::get_if<CheckpointReport>(&report.kind);
  return checkpoint != nullptr && checkpoint->outcome.status.ok() ? &checkpoint->outcome : nullptr;
}

// How to come back to where a run in `directory` was that has reported this much and was never taken back.
inline ResumePlan PlanFrom(const std::vector<Report>& reports, const std::string& directory, int64_t target) {
  ResumePlan plan;
  plan.initial_target = target;
  int64_t contained = 0;
  int64_t from_batch = 0;
  for (const Report& report : reports) {
    plan.through_batch = std::max(plan.through_batch, report.batch);
    const CheckpointOutcome* written = WrittenCheckpoint(report);
    if (written == nullptr) continue;
    plan.recorded.push_back({written->facts, written->file, written->sha256});
    auto state = ReadCheckpoint(directory + "/" + written->file, written->sha256);
    EXPECT_TRUE(state.ok()) << state.status();
    if (state.ok()) plan.checkpoint = std::make_shared<const SavedState>(*std::move(state));
    contained = written->facts.controls;
    from_batch = written->facts.batch;
  }
  for (const Report& report : reports) {
    if (report.batch >= from_batch) plan.marks.push_back({report.batch, report.time});
    if (const auto* control = std::get_if<ControlReport>(&report.kind)) {
      if (++plan.controls_recorded <= contained) continue;
      plan.controls.push_back({control->control, report.batch});
      plan.controls.back().control.at_batch.reset();
    }
    if (report.batch != plan.through_batch) continue;
    if (std::holds_alternative<LossReport>(report.kind)) plan.loss_reported = true;
    if (std::holds_alternative<StateReport>(report.kind)) plan.state_reported = true;
    if (const auto* plugin = std::get_if<PluginReport>(&report.kind)) ++plan.plugin_reports[plugin->plugin];
  }
  return plan;
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LOOP_PAST_H_
