// What the loop reports, and when.
#include <cmath>
#include <limits>

#include "trainer/loop/loop_fixture.h"
#include "trainer/loop/reporter.h"
#include "trainer/loop/run_state.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Lt;
using testing::SizeIs;

TEST_F(LoopTest, BeginsIdleAtBatchZeroWithLossMinusOneAndSaysSoFirst) {
  StopAt(milliseconds(10));
  Run();
  EXPECT_EQ(Describe(sink.reports[0]), "0 IDLE TARGET_REACHED");
  EXPECT_EQ(std::get<StatusReport>(sink.reports[0].kind).loss, -1);
  EXPECT_THAT(Losses(), IsEmpty());
}

TEST_F(LoopTest, BeginsTrainingWhereATargetIsGivenFromTheStart) {
  options.target = 10;
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(Describe(sink.reports[0]), "0 TRAINING");
  EXPECT_THAT(Changes(), ElementsAre("10 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, ReportsTheLossAtTheTargetOnceEvenAMillisecondAfterTheLast) {
  options.target = 52;  // the losses of batches 1 and 51 are reported for their time
  StopAt(milliseconds(500));
  Run();
  EXPECT_THAT(Losses(), ElementsAre("1 loss", "51 loss", "52 loss at target"));
}

TEST_F(LoopTest, ReportsAChangingLossOncePerLossInterval) {
  options.target = 1000;
  options.knobs.loss_interval = 0.1;
  StopAt(seconds(2));
  Run();
  EXPECT_THAT(Losses(), SizeIs(11));
  EXPECT_THAT(Losses(), testing::Contains("101 loss"));
}

TEST_F(LoopTest, ReportsAConstantLossAtOnceAndThenOnceASecond) {
  options.target = 1'000'000;
  learner.loss = [](int64_t) { return 0.125; };
  StopAt(milliseconds(3500));
  Run();
  // The last is the stop's.
  EXPECT_THAT(Losses(), ElementsAre("1 loss", "1001 loss", "2001 loss", "3001 loss", "3500 loss"));
}

TEST_F(LoopTest, ReportsTheLossOfEveryNthBatchBesides) {
  options.target = 7;
  options.knobs.loss_every = 3;
  StopAt(milliseconds(500));
  Run();
  EXPECT_THAT(Losses(), ElementsAre("1 loss", "3 loss", "6 loss", "7 loss at target"));
}

TEST_F(LoopTest, GivesAHeartbeatEverySecondWhileIdleAndNoLosses) {
  std::vector<Duration> times;
  sink.on_heartbeat = [&] { times.push_back(clock.SinceBeginning()); };
  StopAt(milliseconds(3500));
  Run();
  EXPECT_THAT(times, ElementsAre(seconds(1), seconds(2), seconds(3)));
  EXPECT_EQ(sink.heartbeats[0].batch, 0);
  EXPECT_EQ(sink.heartbeats[0].loss, -1);
  EXPECT_THAT(Losses(), IsEmpty());
}

TEST_F(LoopTest, GivesHeartbeatsWhileTrainingWhereLossesAreReportedMoreSeldom) {
  options.target = 1'000'000;
  options.knobs.loss_interval = 3600;
  StopAt(milliseconds(3500));
  Run();
  EXPECT_THAT(sink.heartbeats, SizeIs(3));
  EXPECT_THAT(Losses(), ElementsAre("1 loss", "3500 loss"));
}

TEST_F(LoopTest, DoesNotMindAWallClockThatIsSteppedBack) {
  clock.At(milliseconds(1500), [this] { clock.StepWallClock(-hours(1)); });
  StopAt(milliseconds(3500));
  Run();
  ASSERT_THAT(sink.heartbeats, SizeIs(3));
  EXPECT_LT(sink.heartbeats[1].time, sink.heartbeats[0].time);
}

TEST_F(LoopTest, ReportsAnInfiniteOrNanLossOnceSaysWhatToDoAndFallsSilentButForHeartbeats) {
  options.target = 100;
  learner.loss = [](int64_t batch) { return batch == 5 ? std::numeric_limits<double>::quiet_NaN() : 1.0; };
  StopAt(milliseconds(3100));
  Run();
  EXPECT_THAT(Losses(), ElementsAre("1 loss", "5 loss"));
  EXPECT_TRUE(std::isnan(std::get<LossReport>(sink.reports[2].kind).value));
  ASSERT_EQ(Describe(sink.reports[3]), "5 IDLE DIVERGED");
  EXPECT_THAT(std::get<StatusReport>(sink.reports[3].kind).message, HasSubstr("nan at batch 5"));
  EXPECT_THAT(sink.heartbeats, SizeIs(3));
}

TEST_F(LoopTest, TrainsOnAfterADivergenceOnceATargetAheadIsSet) {
  options.target = 100;
  learner.loss = [](int64_t batch) { return batch == 5 ? HUGE_VAL : 1.0; };
  clock.At(milliseconds(100), [this] { Put("eta", KnobChange{"eta", 0.01}); });
  clock.At(milliseconds(200), [this] { BatchTo("below", 3); });
  clock.At(milliseconds(300), [this] { Put("on", TargetChange{Kind::kResume}); });
  StopAt(seconds(2));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("5 IDLE DIVERGED", "5 control eta = 0.01", "5 control below = 3",
                                     "5 control on = 100", "5 TRAINING", "100 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, ReportsStatesAtMultiplesFromBatchZeroOn) {
  options.target = 50;
  options.knobs.state_every = 20;
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("0 state", "20 state", "40 state", "50 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, ReportsAStateThatWasAskedForWhereOneIsDueOnlyOnce) {
  options.target = 50;
  options.knobs.state_every = 20;
  during.emplace(40, [this] { ASSERT_TRUE(mailbox.Put(Query{true, true, [](auto) {}}).ok()); });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("0 state", "20 state", "40 state asked", "50 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, TakesAStateIntervalOfZeroOrLessAsOff) {
  for (const int64_t every : {0, -1}) {
    options.target = 5;
    options.knobs.state_every = every;
    options.knobs.loss_every = every;
    Mailbox fresh(clock);
    sink.reports.clear();
    clock.At(clock.SinceBeginning() + seconds(1), [&] {
      ASSERT_TRUE(fresh.Put(Control{"stop", StopChange{}, std::nullopt, "", ""}).ok());
    });
    TrainingLoop(options, learner, fresh, sink, clock).Run();
    EXPECT_THAT(Losses(), ElementsAre("1 loss", "5 loss at target"));
    EXPECT_THAT(Changes(), ElementsAre("5 IDLE TARGET_REACHED"));
  }
}

TEST_F(LoopTest, ReportsAStateAtOnceWhenEnabledWhileIdleAtAMultiple) {
  options.target = 50;
  clock.At(milliseconds(100), [this] { Put("every", KnobChange{"state_every", 25}); });
  StopAt(milliseconds(200));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("50 IDLE TARGET_REACHED", "50 control every = 25", "50 state"));
}

TEST_F(LoopTest, LabelsAStateWithTheLossOfItsOwnBatch) {
  options.target = 50;
  options.knobs.state_every = 50;
  learner.loss = [](int64_t batch) { return 100.0 + static_cast<double>(batch); };
  StopAt(milliseconds(200));
  Run();
  for (const Report& report : sink.reports) {
    const auto* state = std::get_if<StateReport>(&report.kind);
    if (state == nullptr) continue;
    EXPECT_EQ(std::get<std::vector<double>>(state->model->State().values)[0], static_cast<double>(report.batch));
    EXPECT_EQ(state->loss, report.batch == 0 ? -1 : 150);
  }
}

TEST_F(LoopTest, ScoresOnceForAllWhoAskBeforeTheNextBatchAndForNobodyWhoHasGone) {
  options.target = 50;
  learner.learner_facts.test_examples = 3;
  std::vector<RunSnapshot> answers;
  Query query;
  query.score = HeldOutPart::kTest;
  query.answer = [&](RunSnapshot snapshot) { answers.push_back(std::move(snapshot)); };
  during.emplace(30, [&] {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(mailbox.Put(query).ok());
    Query gone = query;
    gone.score = HeldOutPart::kValidation;
    gone.awaited = [] { return false; };
    ASSERT_TRUE(mailbox.Put(gone).ok());
  });
  clock.At(milliseconds(100), [&] { ASSERT_TRUE(mailbox.Put(query).ok()); });
  clock.At(milliseconds(150), [&] { ASSERT_TRUE(mailbox.Put(query).ok()); });
  StopAt(milliseconds(200));
  Run();
  ASSERT_THAT(answers, SizeIs(7));
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ((*answers[i].scores)->batch, i < 5 ? 30 : 50);
    EXPECT_EQ((*answers[i].scores)->examples, 3);
  }
  EXPECT_EQ(learner.tests(), 2) << "at 30, and at 50 where it is idle";
  EXPECT_EQ(learner.validations(), 0);
}

TEST_F(LoopTest, AnswersQueriesBetweenBatchesWithASnapshot) {
  options.target = 50;
  std::vector<RunSnapshot> answers;
  const auto keep = [&](RunSnapshot snapshot) { answers.push_back(std::move(snapshot)); };
  during.emplace(30, [&] {
    ASSERT_TRUE(mailbox.Put(Query{false, false, keep}).ok());
    ASSERT_TRUE(mailbox.Put(Query{true, false, keep}).ok());
    ASSERT_TRUE(mailbox.Put(Query{true, false, keep}).ok());
  });
  clock.At(milliseconds(100), [&] { ASSERT_TRUE(mailbox.Put(Query{false, false, keep}).ok()); });
  StopAt(milliseconds(200));
  Run();
  ASSERT_THAT(answers, SizeIs(4));
  EXPECT_EQ(answers[0].batch, 30);
  EXPECT_EQ(answers[0].target, 50);
  EXPECT_EQ(answers[0].loss, 1.0 / 30);
  EXPECT_EQ(answers[0].status, RunStatus::kTraining);
  EXPECT_EQ(answers[0].model, nullptr);
  ASSERT_NE(answers[1].model, nullptr);
  EXPECT_EQ(answers[1].model, answers[2].model) << "the parameters are copied once a batch";
  EXPECT_EQ(answers[3].status, RunStatus::kIdle);
  EXPECT_EQ(answers[3].idle_reason, IdleReason::kTargetReached);
}

TEST_F(LoopTest, ReadsTheClockSeldomWhereBatchesAreFast) {
  step_time = std::chrono::nanoseconds(200);
  options.target = 1'000'000;
  StopAt(milliseconds(250));
  Run();
  EXPECT_THAT(clock.reads(), Lt(400));
  EXPECT_THAT(Losses(), testing::Contains("1000000 loss at target"));
  EXPECT_THAT(Losses(), SizeIs(5)) << "at 0, 50, 100 and 150 ms, and at the target";
}

TEST_F(LoopTest, TheNextLossIsDueAfterTheMomentThatThisOneIsStampedWith) {
  RunState run({}, ScheduledEta({}, 0.1, 1), /*first_target=*/100, {4, 4}, clock.Now());
  run.batch = 5;
  run.loss = 0.5;
  Reporter reporter(run, sink, clock);
  clock.Advance(milliseconds(30));
  reporter.LossOnce();
  EXPECT_EQ(reporter.policy().LossTime(run.knobs, 0.4), clock.Now() + milliseconds(50));
}

}  // namespace
}  // namespace pilothouse::trainer
