// How a trainer attaches, reports, takes controls and answers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "proto/support/tensor.h"
#include "trainer/channel/link_fixture.h"

namespace pilothouse::trainer {
namespace {

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

TEST_F(LinkTest, ScoresTheParametersBetweenTwoBatchesWhenAsked) {
  test_examples_ = 3;
  StartTrainer();
  Welcome();
  ReadUntil(IsIdle);
  SendEvaluateQuery(5, v1::DATA_PART_TEST);
  const v1::Answer answer = ReadAnswer();
  EXPECT_EQ(answer.query_id(), 5u);
  EXPECT_EQ(answer.evaluate().batch(), 50) << "where it is idle";
  EXPECT_EQ(answer.evaluate().examples(), 3);
  ASSERT_EQ(answer.evaluate().values_size(), 1) << answer.DebugString();
  EXPECT_EQ(answer.evaluate().values(0).name(), "loss");
  EXPECT_EQ(answer.evaluate().values(0).value(), 50.5);
  SendEvaluateQuery(6, v1::DATA_PART_VALIDATION);
  const v1::Answer refused = ReadAnswer();
  EXPECT_EQ(refused.query_id(), 6u);
  EXPECT_EQ(refused.error().reason(), v1::ERROR_REASON_NO_VALIDATION_DATA);
  StopTrainer();
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

}  // namespace
}  // namespace pilothouse::trainer
