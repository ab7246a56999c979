// How eta follows a run's schedule, and is set by hand.
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trainer/loop/loop_fixture.h"
#include "trainer/loop/loop_past.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

KnobChange FollowSchedule() { return {"eta", 0, /*follow_schedule=*/true}; }

// An epoch has 10 batches.
class EtaTest : public LoopTest {
 protected:
  EtaTest() {
    learner.learner_facts.examples = 40;
    learner.learner_facts.batches_per_epoch = 10;
    options.knobs.update.eta = 0.5;
  }

  void Schedule(const std::string& text) {
    absl::StatusOr<EtaSchedule> schedule = EtaSchedule::Parse(text);
    ASSERT_TRUE(schedule.ok()) << schedule.status();
    options.eta_schedule = *std::move(schedule);
  }

  void TrainTo(int64_t batch) {
    options.target = batch;
    Put("stop", StopChange{}, batch);
    Run();
  }

  // The eta that a learning step was made with; the first is 1.
  double EtaOf(int64_t step) const { return learner.etas().at(static_cast<size_t>(step - 1)); }
  // The one that the schedule has for it.
  double Scheduled(int64_t step) const { return options.eta_schedule.At(step, 0.5, 10).eta; }

  const ControlReport& Control(const std::string& id) const {
    for (const Report& report : sink.reports) {
      const auto* control = std::get_if<ControlReport>(&report.kind);
      if (control != nullptr && control->control.request_id == id) return *control;
    }
    ADD_FAILURE() << "no control " << id;
    static const ControlReport* const kNone = new ControlReport();
    return *kNone;
  }
};

TEST_F(EtaTest, AStepBeginsWithTheFirstBatchOfItsEpoch) {
  Schedule("5,0.1;7,0.05");
  TrainTo(100);
  for (int64_t step = 1; step <= 100; ++step) {
    EXPECT_EQ(EtaOf(step), step <= 50 ? 0.5 : step <= 70 ? 0.1 : 0.05) << step;
  }
}

TEST_F(EtaTest, AStepByBatchBeginsAfterThatBatch) {
  Schedule("33,0.1 unit=batches");
  TrainTo(40);
  EXPECT_EQ(EtaOf(33), 0.5);
  EXPECT_EQ(EtaOf(34), 0.1);
}

TEST_F(EtaTest, ACurveIsAnotherEtaForEveryStep) {
  Schedule("cosine over=6 warmup=1");
  TrainTo(70);
  for (int64_t step = 1; step <= 70; ++step) EXPECT_EQ(EtaOf(step), Scheduled(step)) << step;
  EXPECT_EQ(EtaOf(1), 0.05);
  EXPECT_GT(EtaOf(11), EtaOf(12));
  EXPECT_EQ(EtaOf(70), 0.0005);
}

TEST_F(EtaTest, WhoeverAsksAtABatchLearnsTheEtaOfTheNext) {
  Schedule("5,0.1");
  std::vector<std::pair<double, bool>> told;
  options.target = 50;
  clock.At(milliseconds(100), [&] {
    const auto answer = [&](const RunSnapshot& run) {
      told.emplace_back(run.knobs.update.eta, run.knobs.eta_follows_schedule);
    };
    ASSERT_TRUE(mailbox.Put(Query{false, false, answer}).ok());
  });
  StopAt(milliseconds(200));
  Run();
  EXPECT_THAT(told, ElementsAre(std::pair(0.1, true)));
  EXPECT_EQ(std::get<LossReport>(sink.reports[1].kind).eta, 0.5);
  EXPECT_EQ(Losses().back(), "50 loss at target");
  for (const Report& report : sink.reports) {
    const auto* loss = std::get_if<LossReport>(&report.kind);
    if (loss == nullptr) continue;
    EXPECT_EQ(loss->eta, report.batch < 50 ? 0.5 : 0.1) << report.batch;
  }
}

TEST_F(EtaTest, AnEtaThatIsSetStaysUntilTheScheduleIsFollowedAgain) {
  Schedule("cosine over=10");
  Put("set", KnobChange{"eta", 0.7}, 20);
  Put("follow", FollowSchedule(), 45);
  TrainTo(60);
  for (int64_t step = 1; step <= 60; ++step) {
    EXPECT_EQ(EtaOf(step), step > 20 && step <= 45 ? 0.7 : Scheduled(step)) << step;
  }
  EXPECT_EQ(Control("set").previous_value, Scheduled(21));
  EXPECT_EQ(Control("set").value, 0.7);
  EXPECT_EQ(Control("follow").previous_value, 0.7);
  EXPECT_EQ(Control("follow").value, Scheduled(46));
}

TEST_F(EtaTest, OtherKnobsDoNotOverrideTheSchedule) {
  Schedule("3,0.1;4,0.2");
  Put("every", KnobChange{"loss_every", 5}, 25);
  TrainTo(50);
  EXPECT_EQ(EtaOf(30), 0.5);
  EXPECT_EQ(EtaOf(31), 0.1);
  EXPECT_EQ(EtaOf(41), 0.2);
}

TEST_F(EtaTest, WithoutAScheduleFollowingIsGoingBackToTheFirstEta) {
  Put("set", KnobChange{"eta", 0.7}, 20);
  Put("follow", FollowSchedule(), 25);
  TrainTo(30);
  EXPECT_EQ(EtaOf(25), 0.7);
  EXPECT_EQ(EtaOf(26), 0.5);
}

TEST_F(EtaTest, NoOtherKnobFollowsASchedule) {
  Put("follow", KnobChange{"loss_every", 1, /*follow_schedule=*/true});
  TrainTo(10);
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_ETA_SCHEDULE_INVALID));
}

TEST_F(EtaTest, ReportsSayWhetherEtaFollows) {
  Schedule("5,0.1");
  Put("set", KnobChange{"eta", 0.7}, 20);
  Put("follow", FollowSchedule(), 30);
  TrainTo(40);
  std::vector<bool> follows;
  for (const Report& report : sink.reports) {
    if (report.knobs.has_value()) follows.push_back(report.knobs->Facts().front().follows_schedule);
  }
  // The first status, both controls, the last status.
  EXPECT_THAT(follows, ElementsAre(true, false, true, true));
}

// As checkpoints were before runs had schedules.
TEST_F(EtaTest, AnEtaThatAnOldCheckpointHoldsStays) {
  for (const double eta : {0.5, 0.7}) {
    RunState run(options.knobs, ScheduledEta({}, 0.5, 10), /*first_target=*/0, {40, 4}, clock.Now());
    run.batch = 20;
    run.Set({"eta", eta});
    SavedState saved;
    run.Save(saved);
    std::string& loop = saved.texts.at("loop");
    const std::string fact = R"("eta_follows_schedule":false,)";
    ASSERT_NE(loop.find(fact), std::string::npos) << loop;
    loop.erase(loop.find(fact), fact.size());
    RunState restored(options.knobs, ScheduledEta({}, 0.5, 10), /*first_target=*/0, {40, 4}, clock.Now());
    ASSERT_TRUE(restored.Restore(saved).ok());
    EXPECT_EQ(restored.knobs.update.eta, eta);
    EXPECT_EQ(restored.knobs.eta_follows_schedule, eta == 0.5);
    EXPECT_EQ(restored.scheduled_eta.through(), kForeverBatch);
  }
}

TEST_F(EtaTest, ARunThatComesBackIsAtItsEtaAtOnce) {
  Schedule("5,0.1;7,0.05");
  TrainTo(60);
  ResumePlan plan = PlanFrom(sink.reports, directory, 60);
  // All but the stop.
  plan.controls.clear();
  ASSERT_EQ(plan.through_batch, 60);
  options.resume = std::make_shared<const ResumePlan>(std::move(plan));
  FakeLearner other;
  other.learner_facts = learner.learner_facts;
  Mailbox letters(clock);
  RecordingSink reports;
  ASSERT_TRUE(letters.Put(pilothouse::trainer::Control{"on", TargetChange{Kind::kBatch, 75}, {}, "", ""}).ok());
  ASSERT_TRUE(letters.Put(pilothouse::trainer::Control{"end", StopChange{}, 75, "", ""}).ok());
  TrainingLoop(options, other, letters, reports, clock).Run();
  ASSERT_TRUE(reports.reports.front().knobs.has_value());
  EXPECT_EQ(reports.reports.front().knobs->update.eta, 0.1);
  ASSERT_EQ(other.etas().size(), 15U);
  for (size_t i = 0; i < 15; ++i) EXPECT_EQ(other.etas()[i], i < 10 ? 0.1 : 0.05) << i;
}

}  // namespace
}  // namespace pilothouse::trainer
