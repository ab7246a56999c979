// Test support: a run that does what a test says, and writes its journal as a run under a service would.
#ifndef PILOTHOUSE_TRAINER_REPLAY_SCRIPTED_RUN_H_
#define PILOTHOUSE_TRAINER_REPLAY_SCRIPTED_RUN_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "trainer/channel/journal_fixture.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/run_data.h"
#include "trainer/channel/run_spec.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/scheduled_eta.h"
#include "trainer/replay/replay.h"

namespace pilothouse::trainer {

// Of forty points on a noisy circle, which are outside: enough that order, batches and examples held out matter.
inline std::string CircleTable() {
  std::string table;
  uint32_t random = 1;
  const auto next = [&random] {
    random = random * 1664525 + 1013904223;
    return static_cast<double>(random >> 8) / (1 << 23) - 1;
  };
  for (int row = 0; row < 40; ++row) {
    const double x = next();
    const double y = next();
    absl::StrAppend(&table, x, ",", y, ",", x * x + y * y > 0.6 ? 1 : 0, "\n");
  }
  return table;
}

// Batches of 7 of 30 examples, shuffled; 10 are held out.
inline v1::RunSpec CircleSpec() {
  v1::RunSpec spec;
  spec.mutable_network()->set_shorthand("2x8tx2");
  spec.mutable_data()->set_file("circle.csv");
  spec.mutable_data()->set_validation_examples(10);
  spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
  spec.set_eta(0.5);
  spec.set_batch_size(7);
  spec.set_seed(7);
  return spec;
}

class ScriptedRun {
 public:
  explicit ScriptedRun(v1::RunSpec spec) : journal_(spec), table_(journal_.directory() + "/circle.csv") {
    std::ofstream(table_) << CircleTable();
    journal_.run().mutable_facts()->set_data_sha256(*FileHash(table_));
    journal_.Store();
    const absl::StatusOr<RunPlan> plan = PlanRun(spec);
    EXPECT_TRUE(plan.ok()) << plan.status();
    absl::StatusOr<std::unique_ptr<Learner>> learner = BuildLearner(*plan, DataFiles{.table = table_});
    EXPECT_TRUE(learner.ok()) << learner.status();
    learner_ = *std::move(learner);
    knobs_ = plan->knobs;
    scheduled_eta_ = ScheduledEta(plan->eta_schedule, plan->knobs.update.eta, learner_->facts().batches_per_epoch);
    scheduled_eta_.Follow(/*batch=*/0, knobs_);
  }

  JournalFixture& journal() { return journal_; }
  Learner& learner() { return *learner_; }
  const std::string& table() const { return table_; }
  int64_t batch() const { return batch_; }

  // Each of these returns the sequence of its (last) event.
  uint64_t TrainTo(int64_t batch) {
    uint64_t sequence = 0;
    while (batch_ < batch) {
      left_[batch_] = {SavedStateOf(*learner_), knobs_};
      const double loss = learner_->Step(++batch_, knobs_.update);
      // After each batch, so as not to be told when.
      if (knobs_.eta_follows_schedule) scheduled_eta_.Follow(batch_, knobs_);
      v1::Event event = EventNow();
      event.mutable_loss()->set_value(loss);
      sequence = journal_.Add(event);
    }
    return sequence;
  }
  uint64_t Eta(double eta) { return Knob("eta", eta); }
  uint64_t FollowSchedule() {
    v1::Event event = ControlNow();
    v1::KnobChange& knob = *event.mutable_control()->mutable_change()->mutable_knob();
    knob.set_name("eta");
    knob.set_follow_schedule(true);
    scheduled_eta_.Follow(batch_, knobs_);
    event.mutable_control()->set_value(knobs_.update.eta);
    return journal_.Add(event);
  }
  uint64_t Knob(const std::string& name, double value) {
    v1::Event event = ControlNow();
    v1::KnobChange& knob = *event.mutable_control()->mutable_change()->mutable_knob();
    knob.set_name(name);
    knob.set_value(value);
    event.mutable_control()->set_value(value);
    knobs_.Set(name, value);
    return journal_.Add(event);
  }
  uint64_t Pause() {
    v1::Event event = ControlNow();
    event.mutable_control()->mutable_change()->mutable_target()->mutable_pause();
    return journal_.Add(event);
  }
  // Of this run or another of the same network.
  uint64_t Parameters(const std::string& file) {
    const std::string path = journal_.directory() + "/" + file;
    EXPECT_TRUE(learner_->Load(path).ok());
    v1::Event event = ControlNow();
    event.mutable_control()->mutable_change()->mutable_parameters()->set_file(file);
    event.mutable_control()->mutable_change()->mutable_parameters()->set_sha256(*FileHash(path));
    return journal_.Add(event);
  }
  uint64_t State() {
    v1::Event event = EventNow();
    *event.mutable_state()->mutable_state() = ToMessage(learner_->Snapshot()->State());
    return journal_.Add(event);
  }
  uint64_t Validate() {
    const absl::StatusOr<Validation> validation = learner_->Validate(batch_);
    EXPECT_TRUE(validation.ok()) << validation.status();
    v1::Event event = EventNow();
    event.mutable_plugin()->set_plugin("held-out");
    event.mutable_plugin()->set_kind("validate");
    v1::NamedValue& loss = *event.mutable_plugin()->mutable_output()->add_values();
    loss.set_name("loss");
    loss.set_value(validation->loss);
    return journal_.Add(event);
  }
  // What is to be told of a checkpoint made now; told at once, or later by Tell.
  v1::CheckpointReport CheckpointNow() const {
    v1::CheckpointReport report;
    report.set_batch(batch_);
    report.set_controls(controls_);
    report.set_line(line_);
    report.set_file(absl::StrCat("checkpoints/", batch_));
    report.set_state_sha256(HashOfTensors(SavedStateOf(*learner_)));
    return report;
  }
  uint64_t Tell(const v1::CheckpointReport& report) {
    v1::Event event = EventNow();
    *event.mutable_checkpoint() = report;
    return journal_.Add(event);
  }
  uint64_t Rewind(int64_t batch, const std::string& branch) {
    v1::Event event = ControlNow();
    event.mutable_control()->mutable_change()->mutable_rewind()->set_batch(batch);
    event.mutable_control()->set_value(static_cast<double>(batch));
    event.mutable_control()->set_branch(branch);
    const uint64_t sequence = journal_.Add(event);
    if (batch < batch_) {
      EXPECT_TRUE(learner_->Restore(left_.at(batch).learner).ok());
      knobs_ = left_.at(batch).knobs;
      batch_ = batch;
    }
    ++line_;
    return sequence;
  }

  absl::StatusOr<ReplayResult> Replay() { return trainer::Replay(Options()); }
  ReplayOptions Options() {
    ReplayOptions options;
    options.directory = journal_.directory();
    options.data = {table_};
    return options;
  }

 private:
  // As the learner was when the batch after it was about to be trained.
  struct Left {
    SavedState learner;
    Knobs knobs;
  };

  v1::Event EventNow() const {
    v1::Event event;
    event.set_batch(batch_);
    return event;
  }
  v1::Event ControlNow() {
    v1::Event event = EventNow();
    event.mutable_control()->set_request_id(absl::StrCat("control-", ++controls_));
    return event;
  }

  JournalFixture journal_;
  const std::string table_;
  std::unique_ptr<Learner> learner_;
  int64_t batch_ = 0;
  Knobs knobs_;
  ScheduledEta scheduled_eta_{{}, 0.1, 1};
  int64_t controls_ = 0;
  int64_t line_ = 0;
  std::map<int64_t, Left> left_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_SCRIPTED_RUN_H_
