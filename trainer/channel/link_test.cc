#include "trainer/channel/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"
#include "trainer/channel/fake_service.h"
#include "trainer/loop/fake_learner.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;

bool IsStatus(const v1::Report& report, v1::RunStatus status) { return report.event().status().status() == status; }
bool IsIdle(const v1::Report& report) { return IsStatus(report, v1::RUN_STATUS_IDLE); }
bool IsStopped(const v1::Report& report) { return IsStatus(report, v1::RUN_STATUS_STOPPED); }
bool IsControl(const v1::Report& report) { return report.event().has_control(); }

class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    options_.service = service_.address();
    options_.first_backoff = milliseconds(1);
    options_.last_backoff = milliseconds(20);
  }
  ~LinkTest() override {
    if (link_thread_.joinable()) link_thread_.join();
    host_ = nullptr;
    std::filesystem::remove_all(directory_);
  }

  void StartTrainer(RunBuilder builder) {
    host_ = std::make_unique<RunHost>(std::move(builder));
    link_thread_ = std::thread([this] { end_ = Link(options_, {"my-run", "secret"}, *host_).Run(); });
  }
  void StartTrainer() {
    StartTrainer([this](const v1::Welcome& welcome) { return Build(welcome); });
  }
  LinkEnd WaitForEnd() {
    link_thread_.join();
    return end_;
  }

  absl::StatusOr<BuiltRun> Build(const v1::Welcome& welcome) {
    ++builds_;
    auto learner = std::make_unique<FakeLearner>();
    learner->on_step = [this](int64_t batch) { trained_ = batch; };
    learner->on_predict = on_predict_;
    learner->can_save = can_save_;
    learner->learner_facts.parameters = parameters_;
    return BuiltRun{.lock = {}, .learner = std::move(learner), .loop = LoopFor(welcome), .bytes_per_parameter = 8};
  }

  LoopOptions LoopFor(const v1::Welcome& welcome) const {
    LoopOptions options;
    options.target = welcome.target();
    options.directory = directory_;
    return options;
  }

  // Takes the next stream, reads its Hello and welcomes it.
  v1::Hello Welcome(uint64_t reports_taken = 0) {
    unread_.clear();
    session_ = service_.Accept();
    const v1::Hello hello = session_->Read()->hello();
    v1::AttachResponse response;
    response.mutable_welcome()->set_target(50);
    response.mutable_welcome()->set_reports_taken(reports_taken);
    session_->Send(response);
    return hello;
  }

  // The next message that is no heartbeat.
  v1::AttachRequest Read() {
    std::optional<v1::AttachRequest> request = session_->Read();
    while (request.has_value() && request->has_heartbeat()) request = session_->Read();
    return request.value_or(v1::AttachRequest());
  }

  // All reports up to the first that `is_last` accepts; other messages on the way are left out.
  std::vector<v1::Report> ReadUntil(const std::function<bool(const v1::Report&)>& is_last) {
    std::vector<v1::Report> reports;
    while (true) {
      while (!unread_.empty()) {
        reports.push_back(unread_.front());
        unread_.pop_front();
        if (is_last(reports.back())) return reports;
      }
      const std::optional<v1::AttachRequest> request = session_->Read();
      if (!request.has_value()) break;
      unread_.assign(request->reports().reports().begin(), request->reports().reports().end());
    }
    ADD_FAILURE() << "the trainer hung up after " << reports.size() << " reports";
    return std::vector<v1::Report>(1);
  }

  void SendControl(const std::string& id, const std::function<void(v1::Change&)>& fill) {
    v1::AttachResponse response;
    response.mutable_control()->set_request_id(id);
    fill(*response.mutable_control()->mutable_change());
    session_->Send(response);
  }
  void SendStateQuery(uint64_t id, bool include_state_vector) {
    v1::AttachResponse query;
    query.mutable_query()->set_query_id(id);
    query.mutable_query()->mutable_state()->set_include_state_vector(include_state_vector);
    session_->Send(query);
  }
  void SendPredictQuery(uint64_t id, int64_t rows) {
    v1::AttachResponse query;
    query.mutable_query()->set_query_id(id);
    const std::vector<double> inputs(static_cast<size_t>(2 * rows), 1);
    *query.mutable_query()->mutable_predict()->mutable_inputs() = MakeTensor(inputs, {rows, 2});
    session_->Send(query);
  }
  // The next answer; other messages on the way are left out.
  v1::Answer ReadAnswer() {
    std::optional<v1::AttachRequest> request = session_->Read();
    while (request.has_value() && !request->has_answer()) request = session_->Read();
    return request.has_value() ? request->answer() : v1::Answer();
  }
  void SendStop() {
    SendControl("stop", [](v1::Change& change) { change.mutable_stop(); });
  }
  // Lets the trainer end in good order.
  void StopTrainer() {
    SendStop();
    session_->SendTaken(ReadUntil(IsStopped).back().number());
    while (session_->Read().has_value()) {
    }
    session_->End(grpc::Status::OK);
    EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
  }
  void BreakStream() { session_->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away")); }

  FakeService service_;
  LinkOptions options_;
  std::unique_ptr<RunHost> host_;
  std::thread link_thread_;
  LinkEnd end_ = LinkEnd::kNoService;
  std::shared_ptr<FakeSession> session_;
  const std::string directory_ = absl::StrCat(testing::TempDir(), "/link-test-", getpid());
  // Reports of the last message that ReadUntil has read but not returned.
  std::deque<v1::Report> unread_;
  int builds_ = 0;
  // Of the learner.
  std::function<void(int64_t rows)> on_predict_;
  bool can_save_ = true;
  int64_t parameters_ = 1;
  std::atomic<int64_t> trained_{0};
};

TEST_F(LinkTest, SaysHelloThenPreparedThenReportsNumberedFromOne) {
  StartTrainer();
  const v1::Hello hello = Welcome();
  EXPECT_EQ(hello.run_id(), "my-run");
  EXPECT_EQ(hello.token(), "secret");
  EXPECT_EQ(hello.process_id(), getpid());
  EXPECT_EQ(hello.last_report(), 0u);
  EXPECT_FALSE(hello.prepared());
  const v1::AttachRequest prepared = Read();
  ASSERT_TRUE(prepared.has_prepared());
  EXPECT_EQ(prepared.prepared().facts().examples(), 4);
  EXPECT_EQ(prepared.prepared().knobs(0).name(), "eta");
  const std::vector<v1::Report> reports = ReadUntil(IsIdle);
  EXPECT_TRUE(IsStatus(reports.front(), v1::RUN_STATUS_TRAINING));
  for (size_t i = 0; i < reports.size(); ++i) EXPECT_EQ(reports[i].number(), i + 1);
  EXPECT_EQ(reports.back().event().batch(), 50);
  StopTrainer();
}

TEST_F(LinkTest, SendsExactlyWhatWasNotTakenAgainAfterABreak) {
  StartTrainer();
  Welcome();
  const std::vector<v1::Report> before = ReadUntil(IsIdle);
  session_->SendTaken(1);
  BreakStream();
  const v1::Hello hello = Welcome(/*reports_taken=*/1);
  EXPECT_EQ(hello.last_report(), before.back().number());
  const std::vector<v1::Report> again = ReadUntil(IsIdle);
  ASSERT_EQ(again.size(), before.size() - 1);
  for (size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].SerializeAsString(), before[i + 1].SerializeAsString());
  }
  StopTrainer();
  EXPECT_EQ(builds_, 1);
}

TEST_F(LinkTest, SaysPreparedAgainUnlessItIsSureThatItArrived) {
  StartTrainer();
  Welcome();
  ASSERT_TRUE(Read().has_prepared());
  BreakStream();
  EXPECT_FALSE(Welcome().prepared());
  EXPECT_TRUE(Read().has_prepared());
  const std::vector<v1::Report> reports = ReadUntil(IsIdle);
  session_->SendTaken(reports.back().number());
  BreakStream();
  const v1::Hello hello = Welcome(reports.back().number());
  EXPECT_TRUE(hello.prepared());
  EXPECT_EQ(hello.last_report(), 0u);
  StopTrainer();
}

TEST_F(LinkTest, TrainsOnWhileTheServiceIsAway) {
  StartTrainer();
  Welcome();
  ASSERT_TRUE(Read().has_prepared());
  BreakStream();
  service_.ShutDown();
  // Meanwhile it trains up to its target.
  while (trained_ < 50) std::this_thread::yield();
  service_.Start();
  Welcome();
  EXPECT_EQ(ReadUntil(IsIdle).back().event().batch(), 50);
  StopTrainer();
}

TEST_F(LinkTest, TellsWhyTheRunCannotBeBuiltAndEnds) {
  StartTrainer([](const v1::Welcome&) {
    return MakeError(v1::ERROR_REASON_NET_INVALID, "spec.network.shorthand", "Character 3 is no width.");
  });
  Welcome();
  const v1::AttachRequest refused = Read();
  ASSERT_TRUE(refused.has_spec_refused());
  EXPECT_EQ(refused.spec_refused().reason(), v1::ERROR_REASON_NET_INVALID);
  EXPECT_EQ(refused.spec_refused().field(), "spec.network.shorthand");
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSpecRefused);
}

TEST_F(LinkTest, EndsAfterARefusalEvenIfTheServiceDoesNotHangUp) {
  options_.refusal_patience = milliseconds(100);
  StartTrainer([](const v1::Welcome&) { return MakeError(v1::ERROR_REASON_NET_INVALID, "", "No."); });
  Welcome();
  EXPECT_TRUE(Read().has_spec_refused());
  EXPECT_EQ(WaitForEnd(), LinkEnd::kSpecRefused);
  session_->End(grpc::Status::OK);
}

TEST_F(LinkTest, AppliesControlsAndTellsWhyItRefusesOne) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendControl("bad", [](v1::Change& change) {
    change.mutable_knob()->set_name("eta");
    change.mutable_knob()->set_value(-1);
  });
  const v1::AttachRequest refused = Read();
  ASSERT_TRUE(refused.has_control_refused());
  EXPECT_EQ(refused.control_refused().request_id(), "bad");
  EXPECT_EQ(refused.control_refused().error().reason(), v1::ERROR_REASON_ETA_INVALID);
  SendControl("empty", [](v1::Change&) {});
  EXPECT_EQ(Read().control_refused().request_id(), "empty");
  SendControl("good", [](v1::Change& change) { change.mutable_target()->set_more(10); });
  const v1::Report applied = ReadUntil(IsControl).back();
  EXPECT_EQ(applied.event().control().request_id(), "good");
  EXPECT_EQ(applied.event().control().value(), 60);
  EXPECT_EQ(applied.resume_target(), 60);
  StopTrainer();
}

TEST_F(LinkTest, AnswersWhatStateTheRunIsInAndWhatItPredicts) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  v1::AttachResponse query;
  query.mutable_query()->set_query_id(1);
  query.mutable_query()->mutable_state();
  session_->Send(query);
  const v1::AttachRequest state = Read();
  ASSERT_TRUE(state.answer().has_state()) << state.DebugString();
  EXPECT_EQ(state.answer().query_id(), 1u);
  EXPECT_EQ(state.answer().state().batch(), 50);
  EXPECT_EQ(state.answer().state().status(), v1::RUN_STATUS_IDLE);
  EXPECT_FALSE(state.answer().state().has_state());

  query.mutable_query()->set_query_id(2);
  const std::vector<double> inputs = {1, 2};
  *query.mutable_query()->mutable_predict()->mutable_inputs() = MakeTensor(absl::MakeConstSpan(inputs), {2});
  session_->Send(query);
  const v1::AttachRequest predicted = Read();
  EXPECT_EQ(ToDoubles(predicted.answer().predict().outputs()), std::vector<double>({50, 100}));

  query.mutable_query()->set_query_id(3);
  query.mutable_query()->mutable_predict()->mutable_inputs()->set_shape(0, 3);
  session_->Send(query);
  const v1::AttachRequest refused = Read();
  EXPECT_EQ(refused.answer().query_id(), 3u);
  EXPECT_EQ(refused.answer().error().reason(), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  StopTrainer();
}

TEST_F(LinkTest, AnswersStatesWhileItPredictsAndGivesUpAPredictionWhoseStreamHasEnded) {
  std::atomic<bool> may_predict{false};
  std::atomic<int> slices{0};
  on_predict_ = [&](int64_t) {
    ++slices;
    while (!may_predict) std::this_thread::yield();
  };
  // So many that a slice is one block.
  parameters_ = 1 << 20;
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendPredictQuery(1, 100 * kPredictBlockRows);
  while (slices == 0) std::this_thread::yield();
  SendStateQuery(2, /*include_state_vector=*/false);
  EXPECT_EQ(ReadAnswer().query_id(), 2u);
  SendStateQuery(3, /*include_state_vector=*/true);
  const v1::Answer state = ReadAnswer();
  EXPECT_EQ(state.query_id(), 3u);
  EXPECT_TRUE(state.state().has_state());
  BreakStream();
  Welcome();
  may_predict = true;
  SendPredictQuery(4, 1);
  EXPECT_EQ(ReadAnswer().query_id(), 4u);
  EXPECT_EQ(slices, 2) << "one of the first prediction, one of the second";
  StopTrainer();
}

TEST_F(LinkTest, TellsOfARunThatHasEndedWhichItIs) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendStop();
  SendControl("late", [](v1::Change& change) { change.mutable_target()->set_more(1); });
  // The two come on their own ways, in any order. A trainer that has not ended yet would attach once more.
  std::optional<v1::Error> refusal;
  bool stopped = false;
  while (!refusal.has_value() || !stopped) {
    const std::optional<v1::AttachRequest> request = session_->Read();
    ASSERT_TRUE(request.has_value());
    if (request->has_control_refused()) refusal = request->control_refused().error();
    const auto& reports = request->reports().reports();
    stopped = stopped || std::any_of(reports.begin(), reports.end(), IsStopped);
  }
  EXPECT_EQ(refusal->reason(), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_EQ(refusal->metadata().at("run_id"), "my-run");
  session_->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "This run has ended."));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, GoesOnAfterAStopThatCannotSaveAndFailsWhenTheProcessMustEnd) {
  can_save_ = false;
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendStop();
  std::optional<v1::AttachRequest> refused = session_->Read();
  while (refused.has_value() && !refused->has_control_refused()) refused = session_->Read();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->control_refused().error().reason(), v1::ERROR_REASON_SAVE_FAILED);
  SendControl("on", [](v1::Change& change) { change.mutable_target()->set_more(10); });
  EXPECT_EQ(ReadUntil(IsControl).back().event().control().value(), 60);
  host_->RequestStop("The trainer was told to terminate.");
  const v1::Report failed =
      ReadUntil([](const auto& report) { return IsStatus(report, v1::RUN_STATUS_FAILED); }).back();
  EXPECT_THAT(failed.event().status().message(), testing::HasSubstr("no space left on device."));
  session_->SendTaken(failed.number());
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, GivesEachStopOfItsOwnAnIdOfItsOwn) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    StartTrainer();
    Welcome();
    ReadUntil(IsIdle);
    host_->RequestStop("The trainer was told to terminate.");
    ids.push_back(ReadUntil(IsControl).back().event().control().request_id());
    session_->SendTaken(ReadUntil(IsStopped).back().number());
    session_->End(grpc::Status::OK);
    EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
  }
  EXPECT_THAT(ids, testing::Each(testing::StartsWith("trainer-")));
  EXPECT_NE(ids[0], ids[1]) << "two processes may have had the same number";
}

TEST_F(LinkTest, ReportsAStateThatWasAskedForBesidesAnsweringIt) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  v1::AttachResponse query;
  query.mutable_query()->mutable_state()->set_include_state_vector(true);
  session_->Send(query);
  const v1::AttachRequest first = Read();
  const v1::AttachRequest second = Read();
  const v1::AttachRequest& answer = first.has_answer() ? first : second;
  const v1::AttachRequest& report = first.has_answer() ? second : first;
  EXPECT_EQ(ToDoubles(answer.answer().state().state()), std::vector<double>({50}));
  ASSERT_EQ(report.reports().reports_size(), 1);
  EXPECT_TRUE(report.reports().reports(0).event().state().asked());
  StopTrainer();
}

TEST_F(LinkTest, SavesTheParametersWhenStoppedAndEndsWhenTheLastReportWasTaken) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  StopTrainer();
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/checkpoints/batch-000000000050.safetensors"));
}

TEST_F(LinkTest, AttachesOnceMoreToGetRidOfItsLastReports) {
  StartTrainer();
  Welcome();
  SendStop();
  const uint64_t last = ReadUntil(IsStopped).back().number();
  BreakStream();
  EXPECT_EQ(Welcome(/*reports_taken=*/last - 1).last_report(), last);
  EXPECT_TRUE(IsStopped(ReadUntil(IsStopped).front()));
  session_->SendTaken(last);
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, EndsWhenTheServiceNoLongerExpectsAStoppedTrainer) {
  StartTrainer();
  Welcome();
  SendStop();
  ReadUntil(IsStopped);
  BreakStream();
  session_ = service_.Accept();
  session_->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "This run has ended."));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

TEST_F(LinkTest, EndsWhenTheServiceIsAwayAndTheRunsDirectoryWasRemoved) {
  std::filesystem::create_directories(directory_);
  StartTrainer([this](const v1::Welcome& welcome) {
    absl::StatusOr<BuiltRun> run = Build(welcome);
    run->lock = *RunLock::Acquire(directory_);
    return run;
  });
  Welcome();
  ReadUntil(IsIdle);
  std::filesystem::remove_all(directory_);
  BreakStream();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kRemoved);
}

TEST_F(LinkTest, StopsAndSavesARunThatNoServiceComesBackFor) {
  options_.orphan_timeout = milliseconds(50);
  options_.last_patience = milliseconds(50);
  StartTrainer();
  Welcome();
  ASSERT_TRUE(Read().has_prepared());
  BreakStream();
  service_.ShutDown();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
  EXPECT_FALSE(std::filesystem::is_empty(directory_));
}

TEST_F(LinkTest, GivesUpWhenThereIsNoServiceOrItDoesNotKnowTheTrainer) {
  StartTrainer();
  service_.Accept()->End(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "Who are you?"));
  EXPECT_EQ(WaitForEnd(), LinkEnd::kNoService);
  service_.ShutDown();
  options_.first_patience = milliseconds(50);
  StartTrainer();
  EXPECT_EQ(WaitForEnd(), LinkEnd::kNoService);
  EXPECT_EQ(builds_, 0);
}

TEST_F(LinkTest, StopsAsIfByAControlWhenTheProcessIsToldToEnd) {
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  host_->RequestStop("The trainer was told to terminate.");
  const v1::Report stopped = ReadUntil(IsStopped).back();
  EXPECT_EQ(stopped.event().status().message(), "The trainer was told to terminate.");
  session_->SendTaken(stopped.number());
  session_->End(grpc::Status::OK);
  EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
}

}  // namespace
}  // namespace pilothouse::trainer
