// Forks: where they begin, what their trainers are told, and that asking again makes no second one.
#include "service/runs/fork_run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/mutex.h"
#include "service/journal/journal_testing.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_registry.h"
#include "tests/support/eventually.h"

namespace pilothouse::service {
namespace {

using ::pilothouse::testing::Eventually;

// What a trainer would receive, on whatever thread.
class QuietLink final : public TrainerLink {
 public:
  void Send(v1::AttachResponse message) override {
    MutexLock lock(mutex_);
    sent_.push_back(std::move(message));
  }
  void ReadNext() override {}
  void Close(const absl::Status&) override {}
  std::vector<v1::AttachResponse> sent() const {
    MutexLock lock(mutex_);
    return sent_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<v1::AttachResponse> sent_ ABSL_GUARDED_BY(mutex_);
};

// The outcome of a start, which comes on whatever thread, perhaps when the test has ended.
class Outcome {
 public:
  StartCallback Callback() {
    return [state = state_](absl::StatusOr<v1::Run> run) {
      MutexLock lock(state->mutex);
      state->run = std::move(run);
    };
  }
  absl::StatusOr<v1::Run> Wait() const {
    const auto come = [this] {
      MutexLock lock(state_->mutex);
      return state_->run.has_value();
    };
    EXPECT_TRUE(Eventually(come));
    MutexLock lock(state_->mutex);
    return state_->run.value_or(absl::UnknownError("nothing came"));
  }

 private:
  struct State {
    Mutex mutex;
    std::optional<absl::StatusOr<v1::Run>> run ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// From batch 50; what came after is the branch high-eta.
v1::Event RewindTo20() {
  v1::Event rewind;
  rewind.set_batch(50);
  rewind.mutable_control()->set_request_id("r");
  rewind.mutable_control()->mutable_change()->mutable_rewind()->set_batch(20);
  rewind.mutable_control()->set_branch("high-eta");
  rewind.mutable_control()->set_value(20);
  rewind.mutable_control()->set_previous_value(50);
  return rewind;
}

class ForkRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(directory_.File("trainer")) << "#!/bin/sh\nexec sleep 600\n";
    std::filesystem::permissions(directory_.File("trainer"), std::filesystem::perms::owner_all);
    datasets_ = *DatasetStore::Open(directory_.path(), 1 << 20);
    std::filesystem::create_directories(directory_.File("files"));
    std::ofstream(directory_.File("files/table.csv")) << "1,2\n";
    auto runs = RunRegistry::Open({.data_directory = directory_.path(),
                                   .trainer_program = directory_.File("trainer"),
                                   .trainer_address = "unix:/nowhere"},
                                  *datasets_, pool_, pool_);
    ASSERT_TRUE(runs.ok()) << runs.status();
    runs_ = *std::move(runs);
  }
  void TearDown() override {
    // As the connection of a trainer that is killed.
    for (const auto& [run, link] : attached_) run->Detach(link.get());
    runs_->Shutdown(/*stop_runs=*/true, std::chrono::seconds(0));
    pool_.Shutdown();
  }

  // The trainer of a run that exists says Hello.
  std::shared_ptr<QuietLink> Attach(const std::string& run_id) {
    EXPECT_TRUE(Eventually([&] { return runs_->Find(run_id).ok(); })) << run_id;
    const std::shared_ptr<service::Run> run = *runs_->Find(run_id);
    auto link = std::make_shared<QuietLink>();
    v1::Hello hello;
    hello.set_token(run->place().token);
    run->Attach(link, hello);
    attached_.emplace_back(run, link);
    v1::AttachRequest prepared;
    prepared.mutable_prepared()->mutable_facts()->set_data_sha256("of the data");
    run->Deliver(link.get(), prepared);
    EXPECT_TRUE(Eventually([&] { return !link->sent().empty(); }));
    return link;
  }
  void Report(const std::string& run_id, const QuietLink& link, const v1::Event& event) {
    v1::AttachRequest message;
    v1::Report& report = *message.mutable_reports()->add_reports();
    report.set_number(++reports_[run_id]);
    *report.mutable_event() = event;
    (*runs_->Find(run_id))->Deliver(&link, message);
  }
  void ReportIdle(const std::string& run_id, const QuietLink& link, int64_t batch) {
    v1::Event event;
    event.set_batch(batch);
    event.mutable_status()->set_status(v1::RUN_STATUS_IDLE);
    Report(run_id, link, event);
  }
  void ReportLoss(const std::string& run_id, const QuietLink& link, int64_t batch) {
    v1::Event event;
    event.set_batch(batch);
    event.mutable_loss()->set_value(0.5);
    Report(run_id, link, event);
    EXPECT_TRUE(Eventually([&] { return (*runs_->Find(run_id))->Now().batch() == batch; }));
  }
  // The run "parent", IDLE at batch 0 and then reported to be at 50.
  std::shared_ptr<QuietLink> StartParent() {
    v1::StartRunRequest request;
    request.set_run_id("parent");
    request.mutable_spec()->mutable_data()->set_file("table.csv");
    request.mutable_spec()->set_seed(7);
    request.mutable_spec()->add_plugins()->set_kind("validate");
    Outcome started;
    runs_->Start(request, started.Callback());
    auto link = Attach("parent");
    ReportIdle("parent", *link, 0);
    EXPECT_TRUE(started.Wait().ok());
    ReportLoss("parent", *link, 50);
    return link;
  }
  v1::ForkRequest Request() const {
    v1::ForkRequest request;
    request.set_run_id("parent");
    request.set_new_run_id("child");
    request.set_request_id("f");
    return request;
  }
  void Ask(const v1::ForkRequest& request, Outcome& outcome) {
    ForkRun(*runs_, *datasets_, pool_, request, outcome.Callback());
  }
  v1::ErrorReason ReasonFor(const v1::ForkRequest& request) {
    Outcome outcome;
    Ask(request, outcome);
    return ReasonOf(outcome.Wait().status());
  }

  TemporaryDirectory directory_;
  WorkPool pool_{2, 100};
  std::unique_ptr<DatasetStore> datasets_;
  std::unique_ptr<RunRegistry> runs_;
  std::map<std::string, uint64_t> reports_;
  std::vector<std::pair<std::shared_ptr<service::Run>, std::shared_ptr<QuietLink>>> attached_;
};

TEST_F(ForkRunTest, ItsTrainerIsToldWhereToBeginAndWhatIsDifferent) {
  StartParent();
  v1::ForkRequest request = Request();
  request.set_batch(40);
  request.set_seed(8);
  request.add_knobs()->set_name("eta");
  request.add_detach_plugins("validate");
  request.set_target(100);
  Outcome forked;
  Ask(request, forked);
  auto link = Attach("child");
  const v1::Welcome welcome = link->sent().at(0).welcome();
  EXPECT_FALSE(welcome.resume());
  EXPECT_EQ(welcome.target(), 100);
  EXPECT_EQ(welcome.fork().directory(), directory_.File("runs/parent"));
  EXPECT_EQ(welcome.fork().batch(), 40);
  EXPECT_EQ(welcome.fork().knobs(0).name(), "eta");
  EXPECT_EQ(welcome.fork().detach_plugins(0), "validate");
  EXPECT_EQ(welcome.data_sha256(), "of the data");
  EXPECT_EQ(welcome.spec().seed(), 8U);
  EXPECT_EQ(welcome.spec().plugins_size(), 1) << "what the trainer makes of them is its own";
  EXPECT_EQ(welcome.spec().parent().run_id(), "parent");
  ReportIdle("child", *link, 40);
  const auto run = forked.Wait();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->parent().batch(), 40);
  EXPECT_EQ(run->batch(), 40);
}

TEST_F(ForkRunTest, AScheduleOfItsOwnBeginsWithTheEtaItIsGivenAndIsFollowed) {
  StartParent();
  v1::ForkRequest request = Request();
  request.add_knobs()->set_name("eta");
  request.mutable_knobs(0)->set_value(0.25);
  request.set_eta_schedule("50,0.01");
  request.set_batch(40);
  Outcome forked;
  Ask(request, forked);
  auto link = Attach("child");
  const v1::Welcome welcome = link->sent().at(0).welcome();
  EXPECT_EQ(welcome.spec().eta_schedule(), "50,0.01");
  EXPECT_EQ(welcome.spec().eta(), 0.25);
  ASSERT_EQ(welcome.fork().knobs_size(), 2);
  EXPECT_EQ(welcome.fork().knobs(1).name(), "eta");
  EXPECT_TRUE(welcome.fork().knobs(1).follow_schedule());
  ReportIdle("child", *link, 40);
  EXPECT_TRUE(forked.Wait().ok());
}

TEST_F(ForkRunTest, AskedAgainItIsTheSameRunAndForSomethingElseItIsRefused) {
  StartParent();
  v1::ForkRequest request = Request();
  request.set_batch(40);
  Outcome forked;
  Ask(request, forked);
  auto link = Attach("child");
  ReportIdle("child", *link, 40);
  ASSERT_TRUE(forked.Wait().ok());
  Outcome again;
  Ask(request, again);
  ASSERT_TRUE(again.Wait().ok()) << again.Wait().status();
  EXPECT_EQ(again.Wait()->run_id(), "child");
  EXPECT_EQ(runs_->List().size(), 2U);
  request.set_batch(41);
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_REQUEST_ID_REUSED);
  v1::StartRunRequest start;
  start.set_request_id("f");
  *start.mutable_spec() = (*runs_->Find("child"))->Now().spec();
  Outcome started;
  runs_->Start(start, started.Callback());
  EXPECT_EQ(ReasonOf(started.Wait().status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(ForkRunTest, OfARunThatLivesTheNewestBatchIsWhereItIsAskedForACheckpoint) {
  auto parent = StartParent();
  Outcome forked;
  Ask(Request(), forked);
  const auto asked = [&]() -> v1::Control {
    for (const auto& message : parent->sent()) {
      if (message.has_control()) return message.control();
    }
    return {};
  };
  ASSERT_TRUE(Eventually([&] { return asked().change().has_checkpoint(); }));
  EXPECT_EQ(asked().request_id(), "service-fork-f");
  v1::Event control;
  control.set_batch(57);
  control.mutable_control()->set_request_id("service-fork-f");
  *control.mutable_control()->mutable_change() = asked().change();
  Report("parent", *parent, control);
  v1::Event written;
  written.set_batch(60);
  written.mutable_checkpoint()->set_batch(57);
  written.mutable_checkpoint()->set_request_id("service-fork-f");
  Report("parent", *parent, written);
  auto link = Attach("child");
  EXPECT_EQ(link->sent().at(0).welcome().fork().batch(), 57);
  EXPECT_EQ(link->sent().at(0).welcome().target(), 57);
}

TEST_F(ForkRunTest, ItsTargetMayBeCountedFromWhereItBegins) {
  auto parent = StartParent();
  v1::ForkRequest request = Request();
  request.set_batch(10);
  request.set_more(5);
  Outcome forked;
  Ask(request, forked);
  auto link = Attach("child");
  EXPECT_EQ(link->sent().at(0).welcome().target(), 15);
}

TEST_F(ForkRunTest, OfARunThatEndedTheNewestBatchIsItsLast) {
  auto parent = StartParent();
  v1::Event end;
  end.set_batch(64);
  end.mutable_status()->set_status(v1::RUN_STATUS_FAILED);
  Report("parent", *parent, end);
  ASSERT_TRUE(Eventually([&] { return (*runs_->Find("parent"))->Now().status() == v1::RUN_STATUS_FAILED; }));
  Outcome forked;
  Ask(Request(), forked);
  auto link = Attach("child");
  EXPECT_EQ(link->sent().at(0).welcome().fork().batch(), 64);
}

TEST_F(ForkRunTest, OutsideItsParentsPastItIsRefused) {
  auto parent = StartParent();
  Report("parent", *parent, RewindTo20());
  ReportIdle("parent", *parent, 20);
  ASSERT_TRUE(Eventually([&] { return (*runs_->Find("parent"))->Now().last_sequence() == 4; }));
  v1::ForkRequest request = Request();
  request.set_branch("high-eta");
  request.set_batch(51);
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  request.set_branch("low-eta");
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_BRANCH_NOT_FOUND);
  request.set_run_id("nobody");
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_RUN_NOT_FOUND);
  request = Request();
  request.set_batch(10);
  request.set_target(9);
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_TARGET_INVALID);
  request.clear_target();
  request.set_more(kMaxTarget);
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_TARGET_INVALID);
  request = Request();
  request.set_batch(10);
  request.set_new_run_id("parent");
  EXPECT_EQ(ReasonFor(request), v1::ERROR_REASON_RUN_ALREADY_EXISTS);
  EXPECT_EQ(runs_->List().size(), 1U);
}

TEST_F(ForkRunTest, OfABranchTheNewestBatchIsWhereTheRunWasTakenBack) {
  auto parent = StartParent();
  Report("parent", *parent, RewindTo20());
  ASSERT_TRUE(Eventually([&] { return (*runs_->Find("parent"))->Now().batch() == 20; }));
  v1::ForkRequest request = Request();
  request.set_branch("high-eta");
  Outcome forked;
  Ask(request, forked);
  auto link = Attach("child");
  EXPECT_EQ(link->sent().at(0).welcome().fork().batch(), 50);
  EXPECT_EQ(link->sent().at(0).welcome().fork().branch(), "high-eta");
}

}  // namespace
}  // namespace pilothouse::service
