#include "clients/cpp/pilot/panel.h"

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1767225600);

google::protobuf::Timestamp At(absl::Duration since) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(kNow + since));
}

// A view of a run at batch 600 of 1,000, at 200 batches per second.
class PanelTest : public testing::Test {
 protected:
  PanelTest() {
    WatchItem item;
    v1::Run& run = *item.message.mutable_snapshot();
    run.set_run_id("digits");
    run.set_status(v1::RUN_STATUS_TRAINING);
    run.set_target(1000);
    run.set_loss(-1);
    run.set_eta(0.1);
    view_.Apply(item, kNow);
    for (int i = 1; i <= 6; ++i) AddLoss(100 * i, 2.5 / i, absl::Milliseconds(500 * i));
  }

  v1::Event& NewEvent(WatchItem& item, int64_t batch, absl::Duration since) {
    v1::Event& event = *item.message.add_events();
    event.set_sequence(++sequence_);
    event.set_batch(batch);
    *event.mutable_time() = At(since);
    return event;
  }

  void AddLoss(int64_t batch, double loss, absl::Duration since) {
    WatchItem item;
    NewEvent(item, batch, since).mutable_loss()->set_value(loss);
    view_.Apply(item, kNow);
  }

  void AddEta(double eta, const std::string& note) {
    WatchItem item;
    v1::ControlReport& control = *NewEvent(item, 600, absl::Seconds(3)).mutable_control();
    control.mutable_change()->mutable_knob()->set_name("eta");
    control.set_previous_value(view_.run().eta());
    control.set_value(eta);
    control.set_origin("ana@lab/notebook");
    control.set_note(note);
    view_.Apply(item, kNow);
  }

  std::string Panel(const PanelStyle& style = {}) const { return absl::StrJoin(RenderPanel(view_, kNow, style), "\n"); }

  RunView view_;
  uint64_t sequence_ = 0;
};

TEST_F(PanelTest, ShowsProgressSpeedAndTimeLeft) {
  const std::string panel = Panel();
  EXPECT_TRUE(absl::StrContains(panel, "digits  TRAINING")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, " 60.0 %")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "batch 600 of 1,000  200 batches/s  2.0 s left")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "loss 0.41667  eta 0.1")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "█")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "the run goes on")) << panel;
}

TEST_F(PanelTest, ShowsHowFarAPausedRunHasComeOnTheWayToWhereAResumeLeads) {
  WatchItem item;
  v1::ControlReport& raise = *NewEvent(item, 600, absl::Seconds(3)).mutable_control();
  raise.mutable_change()->mutable_target()->set_batch(2400);
  raise.set_value(2400);
  v1::ControlReport& pause = *NewEvent(item, 600, absl::Seconds(3)).mutable_control();
  pause.mutable_change()->mutable_target()->mutable_pause();
  pause.set_value(600);
  v1::StatusReport& idle = *NewEvent(item, 600, absl::Seconds(3)).mutable_status();
  idle.set_status(v1::RUN_STATUS_IDLE);
  idle.set_idle_reason(v1::IDLE_REASON_PAUSED);
  idle.set_target(600);
  view_.Apply(item, kNow);
  const std::string panel = Panel();
  EXPECT_TRUE(absl::StrContains(panel, "IDLE (paused)")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "batch 600 of 2,400")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, " 25.0 %")) << panel;
}

TEST_F(PanelTest, ShowsWhoChangedWhat) {
  AddEta(0.01, "too \x1b[31mjumpy");
  const std::string panel = Panel();
  EXPECT_TRUE(absl::StrContains(panel, "batch 600  eta 0.1 → 0.01  by ana@lab/notebook  \"too ?[31mjumpy\"")) << panel;
  EXPECT_TRUE(absl::StrContains(panel, "loss 0.41667  eta 0.01")) << panel;
}

TEST_F(PanelTest, FitsAnyTerminal) {
  for (int i = 0; i < 10; ++i)
    AddEta(0.01 * (i + 1), "a note that is rather long for a terminal as narrow as this one");
  WatchItem report;
  NewEvent(report, 600, absl::Seconds(3)).mutable_plugin()->mutable_output()->set_message("a long report of a plugin");
  view_.Apply(report, kNow);
  for (int width = 1; width <= 130; ++width) {
    for (const int height : {1, 2, 3, 5, 8, 12, 24, 60}) {
      PanelStyle style;
      style.width = width;
      style.height = height;
      const auto lines = RenderPanel(view_, kNow, style);
      ASSERT_LE(lines.size(), static_cast<size_t>(height)) << width << "x" << height;
      for (const std::string& line : lines) {
        ASSERT_LE(DisplayWidth(line), std::max(1, width - 1)) << width << "x" << height << ": " << line;
      }
    }
  }
}

TEST_F(PanelTest, HasNoEscapesWithoutColorAndOnlyAsciiOnRequest) {
  AddEta(0.01, "");
  EXPECT_FALSE(absl::StrContains(Panel(), "\x1b"));
  PanelStyle colored;
  colored.color = true;
  EXPECT_TRUE(absl::StrContains(Panel(colored), "\x1b[1;32mTRAINING\x1b[0m"));
  PanelStyle ascii;
  ascii.unicode = false;
  for (const char character : Panel(ascii)) ASSERT_GE(character, 0) << Panel(ascii);
}

TEST_F(PanelTest, SaysThatTheConnectionIsLostAndThatItIsBack) {
  WatchItem lost;
  lost.connection = absl::UnavailableError("gone");
  lost.retry_in = absl::Seconds(3);
  view_.Apply(lost, kNow - absl::Seconds(12));
  EXPECT_TRUE(absl::StrContains(Panel(), "connection lost 12 s ago")) << Panel();
  view_.Apply(WatchItem(), kNow);
  EXPECT_FALSE(absl::StrContains(Panel(), "connection lost")) << Panel();
}

TEST_F(PanelTest, SaysThatTheTrainingThreadIsSilent) {
  EXPECT_FALSE(absl::StrContains(Panel(), "last seen"));
  WatchItem item;
  v1::Heartbeat& heartbeat = *item.message.mutable_heartbeat();
  heartbeat.set_status(v1::RUN_STATUS_TRAINING);
  heartbeat.set_batch(600);
  *heartbeat.mutable_training_thread_seen_time() = At(absl::Seconds(3));
  *heartbeat.mutable_time() = At(absl::Seconds(15));
  view_.Apply(item, kNow);
  EXPECT_TRUE(absl::StrContains(Panel(), "training thread last seen 12 s ago")) << Panel();
  EXPECT_TRUE(absl::StrContains(Panel(), "pilot state digits says more")) << Panel();
}

TEST_F(PanelTest, TellsWhatWasLeftOut) {
  WatchItem item;
  v1::Gap& gap = *item.message.add_gaps();
  gap.set_first(3);
  gap.set_last(1002);
  view_.Apply(item, kNow);
  EXPECT_TRUE(absl::StrContains(Panel(), "1,000 events left out")) << Panel();
}

TEST_F(PanelTest, ShowsHowARunEnded) {
  WatchItem item;
  v1::StatusReport& status = *NewEvent(item, 600, absl::Seconds(4)).mutable_status();
  status.set_status(v1::RUN_STATUS_FAILED);
  status.set_message("the trainer was killed by signal 9");
  status.set_target(1000);
  status.set_loss(0.5);
  view_.Apply(item, kNow);
  PanelStyle style;
  style.live = false;
  const std::string panel = Panel(style);
  EXPECT_TRUE(absl::StrContains(panel, "digits  FAILED\nthe trainer was killed by signal 9")) << panel;
  EXPECT_FALSE(absl::StrContains(panel, "batches/s")) << panel;
  EXPECT_FALSE(absl::StrContains(panel, "Ctrl-C")) << panel;
}

TEST_F(PanelTest, ShowsTheNewestReportOfUpToThreePlugins) {
  const auto add = [this](const std::string& plugin, int64_t batch, double loss) {
    WatchItem item;
    v1::PluginReport& report = *NewEvent(item, batch, absl::Seconds(3)).mutable_plugin();
    report.set_plugin(plugin);
    v1::NamedValue& value = *report.mutable_output()->add_values();
    value.set_name("loss");
    value.set_value(loss);
    view_.Apply(item, kNow);
  };
  add("validate", 500, 0.5);
  add("average", 510, 0.4);
  add("validate", 600, 0.3);
  EXPECT_TRUE(absl::StrContains(Panel(), "batch 600  validate: loss 0.3\nbatch 510  average: loss 0.4\n")) << Panel();
  EXPECT_FALSE(absl::StrContains(Panel(), "batch 500")) << Panel();
  add("third", 610, 1);
  add("fourth", 620, 2);
  EXPECT_FALSE(absl::StrContains(Panel(), "average")) << Panel();
  EXPECT_TRUE(absl::StrContains(Panel(), "batch 600  validate: loss 0.3\nbatch 610  third: loss 1\n")) << Panel();
  WatchItem item;
  v1::ControlReport& control = *NewEvent(item, 620, absl::Seconds(3)).mutable_control();
  control.mutable_change()->mutable_detach_plugin()->set_name("third");
  control.set_plugin("third");
  view_.Apply(item, kNow);
  EXPECT_FALSE(absl::StrContains(Panel(), "third: loss")) << Panel();
  EXPECT_TRUE(absl::StrContains(Panel(), "detach third")) << Panel();
}

TEST_F(PanelTest, ShowsTheNewestCheckpointAndThatOneFailed) {
  EXPECT_FALSE(absl::StrContains(Panel(), "checkpoint")) << Panel();
  const auto add = [this](int64_t batch, const std::string& error) {
    WatchItem item;
    v1::CheckpointReport& report = *NewEvent(item, 600, absl::Seconds(3)).mutable_checkpoint();
    report.set_batch(batch);
    report.set_error(error);
    view_.Apply(item, kNow);
  };
  add(550, "");
  EXPECT_TRUE(absl::StrContains(Panel(), "checkpoint at 550")) << Panel();
  add(590, "the disk is full");
  EXPECT_TRUE(absl::StrContains(Panel(), "checkpoint at 550")) << Panel();
  EXPECT_TRUE(absl::StrContains(Panel(), "the last checkpoint FAILED: the disk is full")) << Panel();
  add(595, "");
  EXPECT_FALSE(absl::StrContains(Panel(), "FAILED")) << Panel();
}

TEST_F(PanelTest, GoesBackWithARewind) {
  AddEta(0.01, "");
  WatchItem item;
  v1::ControlReport& control = *NewEvent(item, 600, absl::Seconds(4)).mutable_control();
  control.mutable_change()->mutable_rewind()->set_batch(200);
  control.set_value(200);
  control.set_branch("rewind-1");
  view_.Apply(item, kNow);
  EXPECT_EQ(view_.run().batch(), 200);
  EXPECT_EQ(view_.losses().points().back().batch, 200);
  EXPECT_TRUE(absl::StrContains(Panel(), "rewind to 200, what came after is rewind-1")) << Panel();
  EXPECT_FALSE(view_.wants_knobs());
  WatchItem there;
  v1::StatusReport& status = *NewEvent(there, 200, absl::Seconds(5)).mutable_status();
  status.set_status(v1::RUN_STATUS_IDLE);
  status.set_idle_reason(v1::IDLE_REASON_PAUSED);
  view_.Apply(there, kNow);
  EXPECT_TRUE(view_.wants_knobs());
  v1::Run asked;
  asked.set_eta(0.1);
  view_.SetKnobs(asked);
  EXPECT_FALSE(view_.wants_knobs());
  EXPECT_TRUE(absl::StrContains(Panel(), "eta 0.1")) << Panel();
}

TEST(RunView, KnowsTheEtaThatASchedulesRunReportsWithItsLosses) {
  RunView view;
  WatchItem item;
  v1::Run& run = *item.message.mutable_snapshot();
  run.set_eta(0.1);
  run.set_eta_follows_schedule(true);
  run.mutable_spec()->set_eta_schedule("50,0.01");
  v1::Event& loss = *item.message.add_events();
  loss.set_sequence(1);
  loss.mutable_loss()->set_eta(0.05);
  view.Apply(item, kNow);
  EXPECT_EQ(view.run().eta(), 0.05);
  EXPECT_TRUE(absl::StrContains(absl::StrJoin(RenderPanel(view, kNow, {}), "\n"), "eta 0.05 (schedule)"));
  item.message.clear_snapshot();
  loss.set_sequence(2);
  v1::ControlReport& control = *loss.mutable_control();
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.set_value(0.5);
  view.Apply(item, kNow);
  EXPECT_TRUE(absl::StrContains(absl::StrJoin(RenderPanel(view, kNow, {}), "\n"), "eta 0.5 (overridden)"));
}

TEST(Panel, SaysThatItIsConnecting) { EXPECT_EQ(absl::StrJoin(RenderPanel(RunView(), kNow, {}), "\n"), "connecting"); }

TEST(RunView, TakesEventsBeforeTheSnapshotAsHistory) {
  RunView view;
  WatchItem item;
  v1::Run& run = *item.message.mutable_snapshot();
  run.set_status(v1::RUN_STATUS_IDLE);
  run.set_batch(50);
  run.set_target(50);
  run.set_loss(0.25);
  run.set_eta(0.01);
  run.set_last_sequence(2);
  v1::Event& control = *item.message.add_events();
  control.set_sequence(1);
  control.mutable_control()->mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_control()->set_value(0.5);
  v1::Event& loss = *item.message.add_events();
  loss.set_sequence(2);
  loss.set_batch(20);
  loss.mutable_loss()->set_value(0.75);
  view.Apply(item, kNow);
  EXPECT_EQ(view.run().batch(), 50);
  EXPECT_EQ(view.run().loss(), 0.25);
  EXPECT_EQ(view.run().eta(), 0.01);
  EXPECT_EQ(view.controls().size(), 1u);
  EXPECT_EQ(view.losses().points().size(), 1u);
  EXPECT_FALSE(view.BatchesPerSecond().has_value());
}

}  // namespace
}  // namespace pilothouse::client
