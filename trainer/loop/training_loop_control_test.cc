// How the loop takes controls.
#include <filesystem>
#include <fstream>

#include "proto/support/limits.h"
#include "trainer/loop/loop_fixture.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(LoopTest, PausesAtATargetBelowTheBatchAndReportsTheLossThere) {
  options.target = 1000;
  during.emplace(198, [this] { BatchTo("back", 10); });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("198 control back = 10", "198 IDLE PAUSED"));
  EXPECT_EQ(Losses().back(), "198 loss");
}

TEST_F(LoopTest, AcknowledgesATargetEqualToTheBatchAndTakesNoStep) {
  options.target = 50;
  clock.At(milliseconds(100), [this] { BatchTo("same", 50); });
  StopAt(milliseconds(200));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("50 IDLE TARGET_REACHED", "50 control same = 50"));
  EXPECT_EQ(learner.etas().size(), 50u);
}

TEST_F(LoopTest, MakesOneRunOfTwoTargetsThatWereQueuedTogether) {
  clock.At(milliseconds(100), [this] {
    BatchTo("first", 50);
    BatchTo("second", 100);
  });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(),
              ElementsAre("0 control first = 50", "0 control second = 100", "0 TRAINING", "100 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, ReportsAnEtaSetWhileIdleAtOnce) {
  Duration reported = seconds(9);
  clock.At(milliseconds(500), [this] { Put("eta", KnobChange{"eta", 0.5}); });
  sink.on_report = [&](const Report& report) {
    if (std::holds_alternative<ControlReport>(report.kind)) reported = std::min(reported, clock.SinceBeginning());
  };
  StopAt(milliseconds(600));
  Run();
  EXPECT_EQ(reported, milliseconds(500));
  ASSERT_THAT(Changes(), ElementsAre("0 control eta = 0.5"));
  EXPECT_EQ(std::get<ControlReport>(sink.reports[1].kind).previous_value, 0.1);
  ASSERT_TRUE(sink.reports[1].knobs.has_value());
  EXPECT_EQ(sink.reports[1].knobs->update.eta, 0.5);
}

TEST_F(LoopTest, UsesANewEtaFromTheVeryNextBatchOn) {
  options.target = 4;
  during.emplace(2, [this] { Put("eta", KnobChange{"eta", 0.5}); });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(learner.etas(), ElementsAre(0.1, 0.1, 0.5, 0.5));
}

TEST_F(LoopTest, UsesNewSettingsOfItsOptimizerFromTheVeryNextBatchOn) {
  options.knobs = Knobs::UsualOf(OptimizerKind::kAdam);
  options.knobs.checkpoint_interval = 0;
  options.target = 5;
  during.emplace(2, [this] { Put("beta1", KnobChange{"beta1", 0.5}); });
  Put("decay", KnobChange{"weight_decay", 0.25}, 3);
  Put("momentum", KnobChange{"momentum", 0.5});
  Put("too large", KnobChange{"beta2", 1});
  StopAt(seconds(1));
  Run();
  std::vector<double> beta1;
  std::vector<double> weight_decay;
  for (const UpdateSettings& settings : learner.settings()) {
    EXPECT_EQ(settings.eta, 0.001);
    EXPECT_EQ(settings.beta2, 0.999);
    beta1.push_back(settings.beta1);
    weight_decay.push_back(settings.weight_decay);
  }
  EXPECT_THAT(beta1, ElementsAre(0.9, 0.9, 0.5, 0.5, 0.5));
  EXPECT_THAT(weight_decay, ElementsAre(0, 0, 0, 0.25, 0.25));
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_KNOB_UNKNOWN, v1::ERROR_REASON_KNOB_OUT_OF_RANGE));
}

TEST_F(LoopTest, PausesWhereItIsAndResumesToTheLastTargetThatLayAhead) {
  options.target = 100;
  during.emplace(30, [this] { Put("pause", TargetChange{Kind::kPause}); });
  clock.At(milliseconds(200), [this] { Put("resume", TargetChange{Kind::kResume}); });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("30 control pause = 30", "30 IDLE PAUSED", "30 control resume = 100",
                                     "30 TRAINING", "100 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, CountsMoreFromTheBatchAtWhichItTakesEffect) {
  options.target = 20;
  Put("more", TargetChange{Kind::kMore, 5}, 20);
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("20 control more = 25", "25 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, AppliesAControlAfterExactlyTheBatchItNames) {
  step_time = std::chrono::nanoseconds(200);
  options.target = 5000;
  Put("later", KnobChange{"eta", 0.25}, 4001);
  Put("sooner", KnobChange{"eta", 0.5}, 4000);
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(),
              ElementsAre("4000 control sooner = 0.5", "4001 control later = 0.25", "5000 IDLE TARGET_REACHED"));
  EXPECT_EQ(learner.etas()[3999], 0.1);
  EXPECT_EQ(learner.etas()[4000], 0.5);
  EXPECT_EQ(learner.etas()[4001], 0.25);
}

TEST_F(LoopTest, RefusesAControlForABatchThatHasPassed) {
  options.target = 50;
  clock.At(milliseconds(100), [this] { Put("late", KnobChange{"eta", 0.5}, 49); });
  StopAt(milliseconds(200));
  Run();
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_BATCH_ALREADY_PASSED));
  EXPECT_EQ(ToError(sink.refusals[0].error).metadata().at("batch"), "50");
  EXPECT_EQ(ToError(sink.refusals[0].error).field(), "options.at_batch");
  EXPECT_THAT(Changes(), ElementsAre("50 IDLE TARGET_REACHED"));
}

TEST_F(LoopTest, RefusesWhatNoRunCanTakeAndIsUntouched) {
  clock.At(milliseconds(1), [this] {
    Put("zero", KnobChange{"eta", 0});
    Put("nan", KnobChange{"eta", std::nan("")});
    Put("unknown", KnobChange{"temperature", 1});
    Put("slow", KnobChange{"loss_interval", 3601});
    Put("half", KnobChange{"state_every", 0.5});
    Put("negative", TargetChange{Kind::kBatch, -1});
    Put("none", TargetChange{Kind::kMore, 0});
    Put("beyond", TargetChange{Kind::kBatch, kMaxTarget + 1});
    Put("negative later", TargetChange{Kind::kBatch, -1}, 1000);
  });
  StopAt(milliseconds(2));
  Run();
  EXPECT_THAT(RefusalReasons(),
              ElementsAre(v1::ERROR_REASON_ETA_INVALID, v1::ERROR_REASON_ETA_INVALID, v1::ERROR_REASON_KNOB_UNKNOWN,
                          v1::ERROR_REASON_KNOB_OUT_OF_RANGE, v1::ERROR_REASON_KNOB_OUT_OF_RANGE,
                          v1::ERROR_REASON_TARGET_INVALID, v1::ERROR_REASON_TARGET_INVALID,
                          v1::ERROR_REASON_TARGET_INVALID, v1::ERROR_REASON_TARGET_INVALID));
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(LoopTest, RefusesToReportStatesTooLargeForAnEvent) {
  learner.learner_facts.parameters = kMaxStateEventParameters + 1;
  Put("every", KnobChange{"state_every", 10});
  ASSERT_TRUE(mailbox.Put(Query{true, true, [](const RunSnapshot& answer) { EXPECT_NE(answer.model, nullptr); }}).ok());
  StopAt(milliseconds(2));
  Run();
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_STATE_TOO_LARGE));
  EXPECT_THAT(Changes(), IsEmpty()) << "what was asked for is answered, but not reported";
}

TEST_F(LoopTest, IgnoresAControlItHasAppliedOrKeepsWaiting) {
  options.target = 50;
  for (int i = 0; i < 2; ++i) {
    Put("now", TargetChange{Kind::kMore, 10});
    Put("later", KnobChange{"eta", 0.5}, 40);
  }
  clock.At(milliseconds(200), [this] {
    Put("now", TargetChange{Kind::kMore, 10});
    Put("later", KnobChange{"eta", 0.5}, 40);
  });
  StopAt(seconds(1));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("0 control now = 10", "10 IDLE TARGET_REACHED"));
  EXPECT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_RUN_ENDED)) << "the one that still waited at the stop";
}

TEST_F(LoopTest, TakesARefusedControlAgain) {
  Put("a", KnobChange{"eta", -1});
  clock.At(milliseconds(1), [this] { Put("a", KnobChange{"eta", 0.5}); });
  StopAt(milliseconds(2));
  Run();
  EXPECT_THAT(Changes(), ElementsAre("0 control a = 0.5"));
}

TEST_F(LoopTest, TrainsOnUnderAFloodOfControls) {
  options.target = 1'000'000;
  int flood = 0;
  learner.on_step = [&](int64_t batch) {
    clock.Advance(milliseconds(1));
    // The mailbox is never empty until 10,000 controls were sent.
    while (flood < 10'000 &&
           mailbox.Put(Control{absl::StrCat("c", flood), KnobChange{"eta", 0.5}, std::nullopt, "", ""}).ok()) {
      ++flood;
    }
    if (batch == 500) Stop();
  };
  Run();
  EXPECT_EQ(Changes().size(), 10'000u);
  EXPECT_GE(learner.etas().size(), 10'000 / kMaxLettersPerBoundary);
}

TEST_F(LoopTest, StopsWithTheFinalBatchAndLossAndTheParametersSaved) {
  options.target = 1000;
  during.emplace(30, [this] { Stop(); });
  Run();
  std::vector<std::string> last;
  for (size_t i = sink.reports.size() - 4; i < sink.reports.size(); ++i) last.push_back(Describe(sink.reports[i]));
  EXPECT_THAT(last, ElementsAre("30 control stop = 30", "30 checkpoint of 30", "30 loss", "30 STOPPED"));
  EXPECT_EQ(LastStatus().loss, 1.0 / 30);
  EXPECT_EQ(LastStatus().message, "");
  const auto saved = ReadCheckpoint(options.directory + "/checkpoints/batch-000000000030.safetensors", "");
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->texts.at("batch"), "30");
}

TEST_F(LoopTest, RefusesAStopThatCannotSaveAndTrainsOnUntilItCan) {
  options.target = 1000;
  BlockSaving();
  during.emplace(30, [this] { Stop(); });
  during.emplace(60, [this] {
    AllowSaving();
    Stop();
  });
  EXPECT_EQ(Run().status, RunStatus::kStopped);
  ASSERT_THAT(RefusalReasons(), ElementsAre(v1::ERROR_REASON_SAVE_FAILED));
  const v1::Error refusal = ToError(sink.refusals[0].error);
  EXPECT_THAT(refusal.metadata().at("cause"), HasSubstr("File exists"));
  EXPECT_THAT(refusal.message(), HasSubstr("Free room or mend its directory, then ask again."));
  std::vector<std::string> reports;
  for (const Report& report : sink.reports) reports.push_back(Describe(report));
  EXPECT_THAT(reports,
              ElementsAre("0 TRAINING", "1 loss", "30 STOPPING", "30 checkpoint of 30 failed", "30 TRAINING", "51 loss",
                          "60 STOPPING", "60 control stop = 60", "60 checkpoint of 60", "60 loss", "60 STOPPED"));
  EXPECT_THAT(std::get<StatusReport>(sink.reports[4].kind).message, HasSubstr("File exists"));
  EXPECT_EQ(LastStatus().message, "");
}

TEST_F(LoopTest, IsIdleForTheSameReasonAfterAStopThatCannotSave) {
  options.target = 10;
  BlockSaving();
  clock.At(milliseconds(100), [this] { Stop(); });
  clock.At(milliseconds(200), [this] {
    AllowSaving();
    BatchTo("on", 20);
  });
  clock.At(milliseconds(300), [this] { Stop(); });
  Run();
  std::vector<std::string> reports;
  for (size_t i = 4; i < sink.reports.size(); ++i) reports.push_back(Describe(sink.reports[i]));
  EXPECT_THAT(reports,
              ElementsAre("10 STOPPING", "10 checkpoint of 10 failed", "10 IDLE TARGET_REACHED", "10 control on = 20",
                          "10 TRAINING", "11 loss", "20 loss at target", "20 IDLE TARGET_REACHED", "20 STOPPING",
                          "20 control stop = 20", "20 checkpoint of 20", "20 STOPPED"));
}

TEST_F(LoopTest, RefusesWhateverComesAfterAStop) {
  Put("waits", KnobChange{"eta", 0.5}, 1000);
  Stop();
  Put("same batch", KnobChange{"eta", 0.5});
  Put("second stop", StopChange{});
  Run();
  EXPECT_THAT(RefusalReasons(),
              ElementsAre(v1::ERROR_REASON_RUN_ENDED, v1::ERROR_REASON_RUN_ENDED, v1::ERROR_REASON_RUN_ENDED));
  EXPECT_EQ(ToError(sink.refusals[0].error).metadata().at("status"), "STOPPING");
  EXPECT_EQ(ToError(mailbox.Put(Query{})).metadata().at("status"), "STOPPED");
}

TEST_F(LoopTest, StopsAtTheBatchAStopNames) {
  options.target = 1000;
  Put("stop", StopChange{}, 77);
  Run();
  EXPECT_EQ(Describe(sink.reports.back()), "77 STOPPED");
}

TEST_F(LoopTest, CarriesTheResumeTargetInItsReports) {
  options.target = 100;
  during.emplace(10, [this] { BatchTo("on", 200); });
  during.emplace(20, [this] { Put("pause", TargetChange{Kind::kPause}); });
  StopAt(seconds(1));
  Run();
  EXPECT_EQ(sink.reports.front().resume_target, 100);
  EXPECT_EQ(sink.reports.back().resume_target, 200);
}

}  // namespace
}  // namespace pilothouse::trainer
