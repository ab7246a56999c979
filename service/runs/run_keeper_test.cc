#include "service/runs/run_keeper.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "service/runs/run_end.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Remembers what the run sends and asks for.
class FakeLink final : public TrainerLink {
 public:
  void Send(v1::AttachResponse message) override { sent.push_back(std::move(message)); }
  void ReadNext() override { ++reads; }
  void Close(const absl::Status& status) override {
    closed = true;
    close_status = status;
  }
  std::vector<v1::Control> Controls() const {
    std::vector<v1::Control> controls;
    for (const auto& message : sent) {
      if (message.has_control()) controls.push_back(message.control());
    }
    return controls;
  }
  uint64_t Taken() const {
    uint64_t taken = 0;
    for (const auto& message : sent) taken = std::max(taken, message.reports_taken().number());
    return taken;
  }

  std::vector<v1::AttachResponse> sent;
  int reads = 0;
  bool closed = false;
  absl::Status close_status;
};

v1::Control EtaControl(const std::string& request_id, double eta) {
  v1::Control control;
  control.set_request_id(request_id);
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_change()->mutable_knob()->set_value(eta);
  return control;
}

v1::Control StopControl(const std::string& request_id) {
  v1::Control control;
  control.set_request_id(request_id);
  control.mutable_change()->mutable_stop();
  return control;
}

std::string PluginNames(const v1::Run& run) {
  std::string names;
  for (const v1::PluginStatus& plugin : run.plugins()) {
    names += (names.empty() ? "" : " ") + plugin.spec().name();
  }
  return names;
}

class RunKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    place_.directory = testing::TempDir() + "keeper-" + std::to_string(getpid());
    std::filesystem::remove_all(place_.directory);
    std::filesystem::create_directories(place_.directory);
    place_.trainer_command = {"/bin/sleep", "600"};
    place_.token = "secret";
    auto journal =
        Journal::Create(place_.journal_path(),
                        {.run_id = "r", .start_request_id = "", .create_time = absl::Now(), .spec = v1::RunSpec()});
    ASSERT_TRUE(journal.ok()) << journal.status();
    Make(*std::move(journal));
  }
  void TearDown() override {
    if (keeper_ != nullptr) keeper_->Kill();
    keeper_ = nullptr;
    std::filesystem::remove_all(place_.directory);
  }

  void Make(std::unique_ptr<Journal> journal) {
    v1::Run run = *journal->LoadRun();
    hub_ = std::make_shared<EventHub>("r");
    keeper_ = std::make_unique<RunKeeper>(place_, v1::RunSpec(), std::move(journal), hub_, std::move(run));
  }
  // A new service on the same journal.
  void Restart() {
    keeper_ = nullptr;
    Make(*Journal::Open(place_.journal_path()));
    keeper_->AwaitReturn(now_);
  }

  std::shared_ptr<FakeLink> Attach(uint64_t last_report, bool prepared) {
    auto link = std::make_shared<FakeLink>();
    v1::Hello hello;
    hello.set_token("secret");
    hello.set_last_report(last_report);
    hello.set_prepared(prepared);
    keeper_->OnAttach(link, hello, now_);
    return link;
  }
  void Launch() {
    keeper_->Launch([this](absl::StatusOr<v1::Run> run) { started_.push_back(std::move(run)); }, now_);
  }
  void Deliver(FakeLink& link, v1::AttachRequest message) { keeper_->OnMessage(&link, std::move(message), now_); }
  void Prepare(FakeLink& link) {
    v1::AttachRequest message;
    message.mutable_prepared()->mutable_facts()->set_parameters(9);
    Deliver(link, message);
  }
  void ReportStatus(FakeLink& link, uint64_t number, v1::RunStatus status, int64_t batch = 0) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_status()->set_status(status);
    Deliver(link, message);
  }
  void ReportControl(FakeLink& link, uint64_t number, const v1::Control& control, int64_t batch) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    *report->mutable_event()->mutable_control()->mutable_change() = control.change();
    report->mutable_event()->mutable_control()->set_request_id(control.request_id());
    report->mutable_event()->mutable_control()->set_value(control.change().knob().value());
    Deliver(link, message);
  }
  void ReportLoss(FakeLink& link, uint64_t number, int64_t batch, double loss) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_loss()->set_value(loss);
    Deliver(link, message);
  }
  void ReportPlugins(FakeLink& link, uint64_t number, const std::vector<std::string>& names) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->mutable_loss();
    report->set_has_plugins(true);
    for (const std::string& name : names) report->add_plugins()->mutable_spec()->set_name(name);
    Deliver(link, message);
  }
  void LeaveBehind(const std::string& end) { std::ofstream(place_.directory + "/" + kRunEndFile) << end; }
  // A run that is IDLE at batch 0, with its trainer attached.
  std::shared_ptr<FakeLink> Begin() {
    Launch();
    auto link = Attach(0, false);
    Prepare(*link);
    ReportStatus(*link, 1, v1::RUN_STATUS_IDLE);
    return link;
  }
  void Ask(const v1::Control& control) {
    keeper_->OnControl(control,
                       [this](absl::StatusOr<ControlOutcome> outcome) { outcomes_.push_back(std::move(outcome)); });
  }
  std::vector<std::shared_ptr<const v1::Event>> Events() const { return hub_->After(0, 1000).events; }
  // A killed child is gone a moment later; polled for a minute at most.
  void TickUntilEnded() {
    for (int i = 0; i < 60'000 && !keeper_->ended(); ++i) {
      keeper_->OnTick(now_);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  RunPlace place_;
  std::shared_ptr<EventHub> hub_;
  std::unique_ptr<RunKeeper> keeper_;
  RunKeeper::Time now_ = std::chrono::steady_clock::now();
  std::vector<absl::StatusOr<v1::Run>> started_;
  std::vector<absl::StatusOr<ControlOutcome>> outcomes_;
};

TEST_F(RunKeeperTest, ARunHasStartedWhenItsTrainerReportsThatItTrainsOrIsIdle) {
  Launch();
  auto link = Attach(0, false);
  ASSERT_TRUE(link->sent.at(0).has_welcome());
  Prepare(*link);
  EXPECT_TRUE(started_.empty());
  ReportStatus(*link, 1, v1::RUN_STATUS_IDLE);
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(started_[0]->status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(started_[0]->facts().parameters(), 9);
  EXPECT_EQ(link->Taken(), 1U);
}

TEST_F(RunKeeperTest, AWrongTokenIsTurnedAway) {
  Launch();
  auto link = std::make_shared<FakeLink>();
  v1::Hello hello;
  hello.set_token("guess");
  keeper_->OnAttach(link, hello, now_);
  EXPECT_TRUE(link->closed);
  EXPECT_FALSE(link->close_status.ok());
  EXPECT_TRUE(link->sent.empty());
}

TEST_F(RunKeeperTest, AControlIsAnsweredOnlyAfterItIsInTheJournal) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  EXPECT_TRUE(outcomes_.empty());
  ASSERT_EQ(link->Controls().size(), 1U);
  ReportControl(*link, 2, control, 17);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0]->receipt.applied_batch(), 17);
  EXPECT_EQ(outcomes_[0]->receipt.control_id(), 2U);
  const auto recorded = (*JournalReader::Open(place_.journal_path()))->FindControl("a");
  ASSERT_TRUE(recorded.ok() && recorded->has_value());
  EXPECT_EQ((*recorded)->receipt.applied_batch(), 17);
}

TEST_F(RunKeeperTest, TheSameRequestIdGivesTheSameReceiptAndNoSecondChange) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  Ask(control);
  EXPECT_EQ(link->Controls().size(), 1U);
  ReportControl(*link, 2, control, 17);
  Ask(control);
  EXPECT_EQ(link->Controls().size(), 1U);
  ASSERT_EQ(outcomes_.size(), 3U);
  for (const auto& outcome : outcomes_) EXPECT_EQ(outcome->receipt.applied_batch(), 17);
  Ask(EtaControl("a", 0.6));
  EXPECT_EQ(ReasonOf(outcomes_.back().status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(RunKeeperTest, TheSameRequestIdGivesTheSameReceiptAfterARestart) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  ReportControl(*link, 2, control, 17);
  Restart();
  Ask(control);
  ASSERT_EQ(outcomes_.size(), 2U);
  ASSERT_TRUE(outcomes_[1].ok()) << outcomes_[1].status();
  EXPECT_EQ(outcomes_[1]->receipt.SerializeAsString(), outcomes_[0]->receipt.SerializeAsString());
}

TEST_F(RunKeeperTest, AStopIsAnsweredWhenTheRunHasStoppedNotWhenItWasAsked) {
  auto link = Begin();
  const v1::Control stop = StopControl("s");
  Ask(stop);
  ReportControl(*link, 2, stop, 30);
  EXPECT_TRUE(outcomes_.empty());
  ReportStatus(*link, 3, v1::RUN_STATUS_STOPPING, 30);
  EXPECT_TRUE(outcomes_.empty());
  ReportStatus(*link, 4, v1::RUN_STATUS_STOPPED, 30);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0]->final_batch, 30);
  EXPECT_TRUE(keeper_->ended());
  EXPECT_FALSE(keeper_->done()) << "its process is still there";
  EXPECT_TRUE(hub_->After(0, 1).closed);
}

TEST_F(RunKeeperTest, ARunThatEndedTakesNoMoreControls) {
  auto link = Begin();
  ReportStatus(*link, 2, v1::RUN_STATUS_STOPPED, 5);
  Ask(EtaControl("late", 0.5));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_RUN_ENDED);
}

TEST_F(RunKeeperTest, ReportsThatComeAgainAreJournaledOnce) {
  auto link = Begin();
  ReportLoss(*link, 2, 1, 0.7);
  keeper_->OnDetach(link.get(), now_);
  link = Attach(3, true);
  EXPECT_EQ(link->sent.at(0).welcome().reports_taken(), 2U);
  ReportLoss(*link, 2, 1, 0.7);
  ReportLoss(*link, 3, 2, 0.6);
  int losses = 0;
  uint64_t sequence = 0;
  for (const auto& event : Events()) {
    EXPECT_EQ(event->sequence(), ++sequence);
    losses += event->has_loss() ? 1 : 0;
  }
  EXPECT_EQ(losses, 2);
}

TEST_F(RunKeeperTest, NoControlIsForwardedBeforeTheBacklogIsJournaled) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  // Applied, reported, but the connection broke before the report arrived.
  keeper_->OnDetach(link.get(), now_);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  link = Attach(2, true);
  Ask(control);
  EXPECT_EQ(ReasonOf(outcomes_[1].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  ReportControl(*link, 2, control, 17);
  Ask(control);
  EXPECT_EQ(outcomes_[2]->receipt.applied_batch(), 17);
  EXPECT_TRUE(link->Controls().empty());
}

TEST_F(RunKeeperTest, OneMessageIsReadAtATime) {
  auto link = Begin();
  EXPECT_EQ(link->reads, 3);
  ReportLoss(*link, 2, 1, 0.7);
  EXPECT_EQ(link->reads, 4);
}

TEST_F(RunKeeperTest, ATrainerThatIsKilledFailsItsRunWithTheReasonAndTheEndOfItsLog) {
  place_.trainer_command = {"/bin/sh", "-c", "echo out of luck; exec sleep 600"};
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  auto link = Begin();
  // The shell has written its line once the log is there; polled for a minute at most.
  for (int i = 0; i < 60'000 && LastLines(place_.log_path(), 1).empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_NE(keeper_->run().status_message().find("killed by signal 9"), std::string::npos);
  EXPECT_NE(keeper_->run().status_message().find("out of luck"), std::string::npos);
  EXPECT_EQ(Events().back()->status().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AnEndOfTheTrainerAfterStoppedIsNoFailure) {
  auto link = Begin();
  ReportStatus(*link, 2, v1::RUN_STATUS_STOPPED, 5);
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  for (int i = 0; i < 60'000 && !keeper_->done(); ++i) {
    keeper_->OnTick(now_);
    std::this_thread::sleep_for(milliseconds(1));  // until the killed child is reaped
  }
  EXPECT_TRUE(keeper_->done());
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
}

TEST_F(RunKeeperTest, ASpecThatTheTrainerRefusesIsTheErrorOfTheStart) {
  Launch();
  auto link = Attach(0, false);
  v1::AttachRequest message;
  message.mutable_spec_refused()->set_reason(v1::ERROR_REASON_NET_INVALID);
  message.mutable_spec_refused()->set_field("spec.network.shorthand");
  Deliver(*link, message);
  EXPECT_TRUE(keeper_->refused());
  EXPECT_TRUE(started_.empty()) << "the name must be free first";
  keeper_->TakeRefusal()();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(ReasonOf(started_[0].status()), v1::ERROR_REASON_NET_INVALID);
}

TEST_F(RunKeeperTest, ATrainerThatDiesBeforeItIsPreparedIsTheErrorOfTheStart) {
  place_.trainer_command = {"/bin/sh", "-c", "echo no such library >&2; exit 127"};
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  Launch();
  TickUntilEnded();
  keeper_->TakeRefusal()();
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(ReasonOf(started_[0].status()), v1::ERROR_REASON_TRAINER_FAILED);
  EXPECT_NE(started_[0].status().message().find("no such library"), absl::string_view::npos);
}

TEST_F(RunKeeperTest, ATrainerThatNeverSaysHelloIsKilled) {
  Launch();
  now_ += kTrainerPatience + seconds(1);
  TickUntilEnded();
  EXPECT_TRUE(keeper_->refused());
}

TEST_F(RunKeeperTest, ABrokenConnectionMakesTheRunLostOnlyAfterAWhileAndItsReturnIsTold) {
  auto link = Begin();
  keeper_->OnDetach(link.get(), now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_IDLE);
  now_ += kLostAfter + milliseconds(1);
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  link = Attach(1, true);
  ASSERT_TRUE(link->sent.at(1).has_query());
  v1::AttachRequest message;
  message.mutable_answer()->set_query_id(link->sent.at(1).query().query_id());
  message.mutable_answer()->mutable_state()->set_status(v1::RUN_STATUS_TRAINING);
  message.mutable_answer()->mutable_state()->set_batch(44);
  Deliver(*link, message);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_TRAINING);
  EXPECT_EQ(Events().back()->batch(), 44);
}

TEST_F(RunKeeperTest, ALostRunWhoseTrainerIsDeadHasFailed) {
  auto link = Begin();
  Restart();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  // No trainer holds the lock.
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, APluginThatEndsTheRunCompletesItThoughNobodyAskedForAStop) {
  auto link = Begin();
  Ask(StopControl("mine"));
  ReportControl(*link, 2, StopControl("plugin-early-stop-1"), 30);
  ReportStatus(*link, 3, v1::RUN_STATUS_STOPPING, 30);
  ReportStatus(*link, 4, v1::RUN_STATUS_COMPLETED, 30);
  EXPECT_TRUE(keeper_->ended());
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_NE(outcomes_[0].status().message().find("(COMPLETED at batch 30)"), absl::string_view::npos);
  EXPECT_TRUE(keeper_->run().has_end_time());
}

TEST_F(RunKeeperTest, TheReceiptOfAPluginSaysWhatItIsCalledNow) {
  auto link = Begin();
  v1::Control attach;
  attach.set_request_id("a");
  attach.mutable_change()->mutable_attach_plugin()->mutable_plugin()->set_kind("validate");
  Ask(attach);
  v1::AttachRequest message;
  v1::Report* report = message.mutable_reports()->add_reports();
  report->set_number(2);
  *report->mutable_event()->mutable_control()->mutable_change() = attach.change();
  report->mutable_event()->mutable_control()->set_request_id("a");
  report->mutable_event()->mutable_control()->set_plugin("validate-2");
  Deliver(*link, message);
  Ask(attach);
  ASSERT_EQ(outcomes_.size(), 2U);
  for (const auto& outcome : outcomes_) EXPECT_EQ(outcome->receipt.plugin(), "validate-2");
}

TEST_F(RunKeeperTest, KnowsItsPluginsAsTheLastReportThatChangedThemSaysAlsoAfterARestart) {
  auto link = Begin();
  ReportPlugins(*link, 2, {"a", "b"});
  EXPECT_EQ(PluginNames(hub_->Run()), "a b");
  ReportLoss(*link, 3, 1, 0.5);
  EXPECT_EQ(PluginNames(hub_->Run()), "a b") << "a report that says nothing of plugins changes nothing";
  ReportPlugins(*link, 4, {"b"});
  Restart();
  EXPECT_EQ(PluginNames(hub_->Run()), "b");
  link = Attach(0, true);
  ReportPlugins(*link, 5, {});
  EXPECT_EQ(PluginNames(hub_->Run()), "");
}

TEST_F(RunKeeperTest, ARunThatReturnsIsAskedForItsPluginsToo) {
  auto link = Begin();
  Restart();
  link = Attach(1, true);
  ASSERT_TRUE(link->sent.at(1).query().state().include_plugins());
  v1::AttachRequest message;
  message.mutable_answer()->set_query_id(link->sent.at(1).query().query_id());
  message.mutable_answer()->mutable_state()->set_status(v1::RUN_STATUS_TRAINING);
  message.mutable_answer()->mutable_state()->add_plugins()->mutable_spec()->set_name("a");
  Deliver(*link, message);
  EXPECT_EQ(PluginNames(hub_->Run()), "a");
}

TEST_F(RunKeeperTest, AnEndThatNobodySawIsReadFromWhatTheTrainerLeftBehind) {
  auto link = Begin();
  Restart();
  LeaveBehind(R"({"status": "COMPLETED", "message": "early-stop: good enough", "batch": 70, "loss": 0.25})");
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(keeper_->run().status_message(), "early-stop: good enough");
  EXPECT_EQ(keeper_->run().batch(), 70);
  EXPECT_EQ(keeper_->run().loss(), 0.25);
  EXPECT_EQ(hub_->RingAfter(0).events.back()->status().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AnEndThatNobodySawAndThatLeftNothingLegibleBehindIsAFailure) {
  auto link = Begin();
  Restart();
  // Parameters may be a plugin's: they say nothing of the end.
  std::filesystem::create_directory(place_.directory + "/checkpoints");
  std::ofstream(place_.directory + "/checkpoints/batch-000000000010.safetensors") << "parameters";
  LeaveBehind("{\"status\": \"STOP");
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_FAILED);
  EXPECT_NE(keeper_->run().status_message().find("no service was there to see how"), std::string::npos);
}

TEST_F(RunKeeperTest, AChildThatEndedWithoutAConnectionEndedAsItSaidItself) {
  auto link = Begin();
  LeaveBehind(R"({"status": "STOPPED", "message": "", "batch": 70, "loss": null})");
  keeper_->Kill();
  keeper_->OnDetach(link.get(), now_);
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(keeper_->run().batch(), 70);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(RunKeeperTest, AServiceThatGoesAwayAnswersWhoeverWaits) {
  auto link = Begin();
  Ask(EtaControl("a", 0.5));
  keeper_->Abandon();
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_SERVICE_STOPPING);
  EXPECT_TRUE(link->closed);
}

}  // namespace
}  // namespace pilothouse::service
