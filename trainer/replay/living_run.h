// Test support: a run as it is under a service, without one: its trainer's parts, and a journal that takes what they
// report.
#ifndef PILOTHOUSE_TRAINER_REPLAY_LIVING_RUN_H_
#define PILOTHOUSE_TRAINER_REPLAY_LIVING_RUN_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/channel/journal_fixture.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/run_past.h"
#include "trainer/channel/run_spec.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/report.h"
#include "trainer/loop/training_loop.h"
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/replay/replay.h"

namespace pilothouse::trainer {

class LivingRun final : public ReportSink {
 public:
  LivingRun(v1::RunSpec spec, std::string table) : journal_(spec) {
    *welcome_.mutable_spec() = std::move(spec);
    welcome_.set_directory(journal_.directory());
    welcome_.set_table_path(std::move(table));
  }

  v1::Welcome& welcome() { return welcome_; }
  JournalFixture& journal() { return journal_; }
  const std::vector<v1::Event>& events() const { return events_; }
  // Called with everything that is journaled: here the test says what people ask for then.
  std::function<void(const v1::Event& event)> on_event = [](const v1::Event&) {};

  // Asks for a change, unless it was made already.
  void Ask(const std::string& request_id, Change change) {
    if (applied_.count(request_id) > 0) return;
    EXPECT_TRUE(mailbox_->Put(Control{request_id, std::move(change), std::nullopt, "", ""}).ok());
  }

  // From a trainer's start to its end. One that dies reports nothing any more once so many events are journaled; what
  // it does after that nobody knows.
  void Live(size_t dies_after = std::numeric_limits<size_t>::max()) {
    dies_after_ = dies_after;
    SystemClock clock;
    Mailbox mailbox(clock);
    mailbox_ = &mailbox;
    absl::StatusOr<BuiltRun> built = BuildRun(welcome_, std::make_shared<const PluginKinds>(BuiltInPluginKinds()));
    ASSERT_TRUE(built.ok()) << built.status();
    for (;;) {
      TrainingLoop loop(built->loop, *built->learner, mailbox, *this, clock);
      last_ = loop.Run();
      if (!loop.taken_back()) break;
      built->loop.fork = nullptr;
      built->loop.past_directory.clear();
      // One that has died has no journal that goes on.
      if (dead()) break;
      const absl::Status past = AddPast(0, built->loop);
      ASSERT_TRUE(past.ok()) << past;
    }
    mailbox_ = nullptr;
    welcome_.set_resume(true);
    welcome_.clear_fork();
  }

  bool dead() const { return events_.size() >= dies_after_; }
  const StatusReport& last() const { return last_; }
  // "12 0.25": what a watcher sees of learning.
  std::vector<std::pair<int64_t, double>> Losses() const {
    std::vector<std::pair<int64_t, double>> losses;
    for (const v1::Event& event : events_) {
      if (event.has_loss()) losses.emplace_back(event.batch(), event.loss().value());
    }
    return losses;
  }

  absl::StatusOr<ReplayResult> Replay() {
    ReplayOptions options;
    options.directory = journal_.directory();
    options.data = {welcome_.table_path()};
    return trainer::Replay(options);
  }

  void OnReport(Report report) override {
    if (dead()) {
      // Where nobody asks for anything any more, it would wait for ever.
      mailbox_->Suspend();
      return;
    }
    v1::Event event = ToMessage({1, std::make_shared<const Report>(std::move(report))}).event();
    event.set_sequence(journal_.Add(event));
    if (event.has_control()) applied_.insert(event.control().request_id());
    if (event.has_checkpoint() && event.checkpoint().error().empty()) ++checkpoints_;
    events_.push_back(event);
    on_event(event);
  }
  void OnHeartbeat(const Heartbeat&) override {}
  void OnRefusal(Refusal refusal) override { EXPECT_TRUE(dead()) << refusal.error; }
  int64_t CheckpointsRecorded() const override { return checkpoints_; }

 private:
  JournalFixture journal_;
  v1::Welcome welcome_;
  Mailbox* mailbox_ = nullptr;
  size_t dies_after_ = 0;
  std::vector<v1::Event> events_;
  std::set<std::string> applied_;
  int64_t checkpoints_ = 0;
  StatusReport last_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_LIVING_RUN_H_
