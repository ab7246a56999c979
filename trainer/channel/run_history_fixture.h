// Test support: a journal of a run that was steered, checkpointed and taken back, and what is planned from it.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_FIXTURE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "trainer/channel/journal_fixture.h"
#include "trainer/channel/run_history.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {

// "10 eta 0.5", "20 target 50", "20 pause", "30 stop".
inline std::string Describe(const AppliedControl& applied) {
  const std::string at = absl::StrCat(applied.batch, " ");
  if (const auto* knob = std::get_if<KnobChange>(&applied.control.change)) {
    return absl::StrCat(at, knob->name, " ", knob->value);
  }
  if (const auto* target = std::get_if<TargetChange>(&applied.control.change)) {
    return target->kind == TargetChange::Kind::kPause ? at + "pause" : absl::StrCat(at, "target ", target->count);
  }
  if (const auto* stop = std::get_if<StopChange>(&applied.control.change)) {
    return at + (stop->completed ? "complete" : "stop");
  }
  if (const auto* parameters = std::get_if<ParametersChange>(&applied.control.change)) {
    return absl::StrCat(at, "parameters of ", parameters->from_run_id);
  }
  return at + "?";
}

class RunHistoryTest : public testing::Test {
 protected:
  v1::Event EventAt(int64_t batch) {
    v1::Event event;
    event.set_batch(batch);
    event.mutable_time()->set_seconds(++seconds_);
    return event;
  }
  void Loss(int64_t batch) {
    v1::Event event = EventAt(batch);
    event.mutable_loss()->set_value(0.5);
    journal_.Add(std::move(event));
  }
  void Status(int64_t batch, v1::RunStatus status) {
    v1::Event event = EventAt(batch);
    event.mutable_status()->set_status(status);
    journal_.Add(std::move(event));
  }
  void Plugin(int64_t batch, const std::string& name) {
    v1::Event event = EventAt(batch);
    event.mutable_plugin()->set_plugin(name);
    journal_.Add(std::move(event));
  }
  v1::Event ControlAt(int64_t batch) {
    v1::Event event = EventAt(batch);
    event.mutable_control()->set_request_id(absl::StrCat("control-", ++controls_));
    return event;
  }
  void Eta(int64_t batch, double eta) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_knob()->set_name("eta");
    event.mutable_control()->mutable_change()->mutable_knob()->set_value(eta);
    journal_.Add(std::move(event));
  }
  void Target(int64_t batch, int64_t target) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_target()->set_batch(target);
    journal_.Add(std::move(event));
  }
  void Stop(int64_t batch, const std::string& origin) {
    v1::Event event = ControlAt(batch);
    event.mutable_control()->mutable_change()->mutable_stop();
    event.mutable_control()->set_origin(origin);
    journal_.Add(std::move(event));
  }
  void Rewind(int64_t from, int64_t to, const std::string& branch) {
    v1::Event event = ControlAt(from);
    event.mutable_control()->mutable_change()->mutable_rewind()->set_batch(to);
    event.mutable_control()->set_value(static_cast<double>(to));
    event.mutable_control()->set_branch(branch);
    journal_.Add(std::move(event));
    ++line_;
  }
  // A checkpoint of `batch`, told of at `told_at`, after all controls until now.
  std::string Checkpoint(int64_t batch, int64_t told_at) {
    CheckpointStore store(journal_.directory(), {}, {}, nullptr);
    CheckpointRequest request;
    request.facts.batch = batch;
    request.state.texts["made"] = absl::StrCat("{\"batch\":", batch, ",\"controls\":", controls_, "}");
    const CheckpointOutcome outcome = store.WriteNow(std::move(request));
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    v1::Event event = EventAt(told_at);
    v1::CheckpointReport& report = *event.mutable_checkpoint();
    report.set_batch(batch);
    report.set_controls(controls_);
    report.set_line(line_);
    report.set_file(outcome.file);
    report.set_sha256(outcome.sha256);
    journal_.Add(std::move(event));
    return journal_.directory() + "/" + outcome.file;
  }
  static void Damage(const std::string& file) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-1, std::ios::end);
    stream.put('~');
  }

  RunHistory Read() {
    absl::StatusOr<RunHistory> history = RunHistory::Read(journal_.directory());
    EXPECT_TRUE(history.ok()) << history.status();
    return *std::move(history);
  }
  // What a plan says in a line: where it begins, what it feeds back.
  std::vector<std::string> Told(const absl::StatusOr<ResumePlan>& plan) {
    if (!plan.ok()) return {std::string(plan.status().message())};
    std::vector<std::string> told = {plan->checkpoint == nullptr ? "anew" : plan->checkpoint->texts.at("made")};
    for (const AppliedControl& applied : plan->controls) told.push_back(Describe(applied));
    told.push_back(absl::StrCat("through ", plan->through_batch));
    return told;
  }
  std::vector<std::string> Resume(int64_t seen_batch = 0) { return Told(Read().PlanResume(seen_batch, damaged_)); }
  std::vector<std::string> Visit(int64_t batch, const std::string& branch = "") {
    return Told(Read().PlanVisit(batch, branch, damaged_));
  }

  JournalFixture journal_;
  std::vector<std::string> damaged_;

 private:
  int64_t seconds_ = 0;
  int64_t controls_ = 0;
  int64_t line_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_HISTORY_FIXTURE_H_
