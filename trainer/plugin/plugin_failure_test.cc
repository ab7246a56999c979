// What a plugin that fails leads to.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/support/limits.h"
#include "trainer/plugin/attached_plugin.h"
#include "trainer/plugin/plugin_call.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/plugin_host_fixture.h"

namespace pilothouse::trainer {
namespace {

class PluginFailureTest : public PluginHostTest {
 protected:
  // Runs a plugin once that asks and reports, does `act`, and returns how it failed.
  std::string FailureOf(const ScriptedPlugin::Act& act) {
    acts_["a"] = [act](PluginContext& context) {
      context.Ask(KnobChange{"eta", 1}, "");
      context.Report({{{"one", 1}}, {}, "said"});
      return act(context);
    };
    Attach("a", "always");
    TrainTo(run_.current_batch + 1);
    EXPECT_EQ(failures_.size(), 1);
    return failures_.empty() ? "" : failures_[0].message;
  }
  std::string FailureOf(const PluginOutput& output) {
    return FailureOf([output](PluginContext& context) {
      context.Report(output);
      return absl::OkStatus();
    });
  }
  void ExpectNothingKept() const {
    EXPECT_TRUE(outputs_.empty());
    EXPECT_TRUE(wishes_.empty());
  }
};

TEST_F(PluginFailureTest, AnErrorIsOne) {
  EXPECT_EQ(FailureOf([](PluginContext&) { return absl::AbortedError("It cannot."); }), "It cannot.");
  ExpectNothingKept();
}

TEST_F(PluginFailureTest, AnExceptionIsOne) {
  const auto act = [](PluginContext&) -> absl::Status { throw std::runtime_error("out of paper"); };
  EXPECT_EQ(FailureOf(act), "It threw an exception: out of paper");
  ExpectNothingKept();
}

TEST_F(PluginFailureTest, WhateverElseIsThrownIsOne) {
  const auto act = [](PluginContext&) -> absl::Status { throw 7; };
  EXPECT_EQ(FailureOf(act), "It threw something that is not a std::exception.");
  ExpectNothingKept();
}

TEST_F(PluginFailureTest, AValueThatIsNotFiniteIsOne) {
  EXPECT_EQ(FailureOf({{{"loss", std::numeric_limits<double>::quiet_NaN()}}, {}, ""}), "It reported nan as \"loss\".");
  ExpectNothingKept();
}

TEST_F(PluginFailureTest, AHistogramWithoutFiniteEdgesIsOne) {
  const PluginOutput output{{}, {{"weights", 0, std::numeric_limits<double>::infinity(), {1, 2}}}, ""};
  EXPECT_EQ(FailureOf(output), "It reported inf as \"weights\".");
}

TEST_F(PluginFailureTest, MoreThanMayBeReportedIsOne) {
  PluginOutput values;
  values.values.resize(kMaxPluginValues + 1);
  EXPECT_TRUE(absl::StrContains(FailureOf(values), "1025 values at once; 1024 are allowed"));
  ExpectNothingKept();
}

TEST_F(PluginFailureTest, TooManyBinsAreOne) {
  PluginOutput bins;
  bins.histograms.push_back({"h", 0, 1, std::vector<int64_t>(kMaxHistogramBins + 1)});
  EXPECT_TRUE(absl::StrContains(FailureOf(bins), "257 bins"));
}

TEST_F(PluginFailureTest, TooManyHistogramsAreOne) {
  PluginOutput histograms;
  histograms.histograms.resize(kMaxPluginHistograms + 1);
  EXPECT_TRUE(absl::StrContains(FailureOf(histograms), "257 histograms"));
}

TEST_F(PluginFailureTest, TooLongATextIsOne) {
  EXPECT_TRUE(
      absl::StrContains(FailureOf({{}, {}, std::string(kMaxPluginTextBytes + 1, 'a')}), "a text of 1025 bytes"));
}

TEST_F(PluginFailureTest, TooManyWishesAreOne) {
  const auto act = [](PluginContext& context) {
    for (size_t i = 0; i < kMaxWishesPerCall; ++i) context.Ask(KnobChange{"eta", 1}, "");
    return absl::OkStatus();
  };
  EXPECT_TRUE(absl::StrContains(FailureOf(act), "65 wishes"));
}

TEST_F(PluginFailureTest, ACallThatTakesTooLongIsOneButKeepsWhatItSaid) {
  const auto act = [this](PluginContext&) {
    time_ += kUsualAllowance + std::chrono::milliseconds(500);
    return absl::OkStatus();
  };
  EXPECT_EQ(FailureOf(act), "It took 10.5 s; its allowance is 10 s.");
  EXPECT_EQ(outputs_, (Calls{"a: said"}));
  EXPECT_EQ(wishes_.size(), 1);
  EXPECT_EQ(StatusOf("a").last_time, std::chrono::milliseconds(10'500));
}

TEST_F(PluginFailureTest, ACallAsLongAsItsAllowanceIsNone) {
  acts_["a"] = [this](PluginContext&) {
    time_ += std::chrono::seconds(1);
    return absl::OkStatus();
  };
  PluginSpec spec = Spec("a", "always");
  spec.allowance = std::chrono::seconds(1);
  Attach(spec);
  TrainTo(2);
  EXPECT_TRUE(failures_.empty());
  EXPECT_EQ(StatusOf("a").total_time, std::chrono::seconds(2));
}

TEST_F(PluginFailureTest, WhereAWishIsRefusedTheRestOfThatCallsWishesAreDropped) {
  refused_ = [](const Wish&) { return absl::OutOfRangeError("eta lies too far away."); };
  acts_["pair"] = [](PluginContext& context) {
    context.Ask(KnobChange{"eta", -1}, "");
    context.Ask(KnobChange{"eta", 0.5}, "");
    return absl::OkStatus();
  };
  Attach("pair", "at(1)");
  TrainTo(2);
  EXPECT_EQ(wishes_.size(), 1U);
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].message, "What it asked for was refused. eta lies too far away.");
}

TEST_F(PluginFailureTest, AWishThatIsRefusedCountsAsOne) {
  refused_ = [](const Wish& wish) {
    return std::holds_alternative<KnobChange>(wish.change) ? absl::OutOfRangeError("Too far away.") : absl::OkStatus();
  };
  acts_["a"] = [](PluginContext& context) {
    context.Ask(KnobChange{"eta", -1}, "");
    return absl::OkStatus();
  };
  Attach("a", "always");
  TrainTo(5);
  EXPECT_EQ(calls_, (Calls{"a@1", "a@2", "a@3"}));
  ASSERT_EQ(failures_.size(), 3U);
  EXPECT_EQ(failures_[1].failures_in_a_row, 2);
  EXPECT_TRUE(failures_[2].detached);
  EXPECT_EQ(host_->attached(), 0);
}

TEST_F(PluginFailureTest, ACallThatTakesTooLongAndIsRefusedIsOneFailure) {
  refused_ = [](const Wish&) { return absl::OutOfRangeError("Too far away."); };
  const auto act = [this](PluginContext&) {
    time_ += std::chrono::seconds(11);
    return absl::OkStatus();
  };
  EXPECT_EQ(FailureOf(act), "It took 11 s; its allowance is 10 s. What it asked for was refused. Too far away.");
}

TEST_F(PluginFailureTest, ARunThatWasToEndAndCannotIsPaused) {
  refused_ = [](const Wish& wish) {
    return std::holds_alternative<StopChange>(wish.change) ? absl::UnavailableError("No room.") : absl::OkStatus();
  };
  acts_["a"] = [](PluginContext& context) {
    context.SetDone("enough");
    return absl::OkStatus();
  };
  Attach("a", "at(1)");
  TrainTo(1);
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_TRUE(failures_[0].paused);
  ASSERT_EQ(wishes_.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<TargetChange>(wishes_[1].change));
}

TEST_F(PluginFailureTest, AfterAsManyInARowAsAreAllowedItIsDetached) {
  acts_["a"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  Attach("a", "always");
  TrainTo(4);
  EXPECT_EQ(calls_, (Calls{"a@1", "a@2", "a@3"}));
  ASSERT_EQ(failures_.size(), 3);
  EXPECT_EQ(failures_[1].failures_in_a_row, 2);
  EXPECT_FALSE(failures_[1].detached);
  EXPECT_EQ(failures_[2].failures_in_a_row, 3);
  EXPECT_TRUE(failures_[2].detached);
  EXPECT_EQ(story_.back(), "a wishes");
  ASSERT_EQ(wishes_.size(), 1);
  EXPECT_EQ(wishes_[0].note, "The plugin \"a\" failed 3 times in a row: It cannot.");
  EXPECT_EQ(host_->attached(), 0);
}

TEST_F(PluginFailureTest, ASuccessForgivesThoseBefore) {
  acts_["a"] = [](PluginContext& context) {
    return context.run().batch() % 3 == 0 ? absl::OkStatus() : absl::AbortedError("It cannot.");
  };
  Attach("a", "always");
  TrainTo(12);
  EXPECT_EQ(failures_.size(), 8);
  EXPECT_EQ(failures_.back().failures_in_a_row, 2);
  EXPECT_EQ(host_->attached(), 1);
}

TEST_F(PluginFailureTest, OneThatIsRequiredPausesTheRunInsteadAndMayTryAgain) {
  acts_["a"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  PluginSpec spec = Spec("a", "always");
  spec.required = true;
  spec.max_failures = 2;
  Attach(spec);
  TrainTo(4, kRetryAfter);
  ASSERT_EQ(failures_.size(), 4);
  EXPECT_FALSE(failures_[0].paused);
  EXPECT_TRUE(failures_[1].paused);
  EXPECT_FALSE(failures_[1].detached);
  EXPECT_EQ(failures_[2].failures_in_a_row, 1);
  EXPECT_FALSE(failures_[2].paused);
  EXPECT_TRUE(failures_[3].paused);
  ASSERT_EQ(wishes_.size(), 2);
  const auto* pause = std::get_if<TargetChange>(&wishes_[0].change);
  ASSERT_NE(pause, nullptr);
  EXPECT_EQ(pause->kind, TargetChange::Kind::kPause);
  EXPECT_EQ(host_->attached(), 1);
}

TEST_F(PluginFailureTest, OneThatIsRequiredIsCalledAgainAfterATimeUntilItSucceeds) {
  acts_["a"] = [](PluginContext& context) {
    return context.run().batch() < 14 ? absl::AbortedError("It cannot.") : absl::OkStatus();
  };
  PluginSpec spec = Spec("a", "each(10)");
  spec.required = true;
  Attach(spec);
  TrainTo(30, kRetryAfter / 2);
  EXPECT_EQ(calls_, (Calls{"a@10", "a@12", "a@14", "a@20", "a@30"}));
}

TEST_F(PluginFailureTest, OneThatIsRequiredAtTheStartIsDueAgainToo) {
  acts_["a"] = [](PluginContext& context) {
    return context.run().batch() < 2 ? absl::AbortedError("It cannot.") : absl::OkStatus();
  };
  PluginSpec spec = Spec("a", "", PluginPoint::kStart);
  spec.required = true;
  Attach(spec);
  Boundary();
  ASSERT_EQ(failures_.size(), 1);
  EXPECT_TRUE(failures_[0].paused) << "before the first batch";
  EXPECT_EQ(StatusOf("a").waits_for, "the start");
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  ASSERT_TRUE(host_->Restore(saved).ok());
  EXPECT_LE(host_->next_due_batch(), 1);
  TrainTo(4);
  EXPECT_EQ(calls_, (Calls{"a@0", "a@1", "a@2"}));
  EXPECT_EQ(StatusOf("a").waits_for, "");
}

TEST_F(PluginFailureTest, OneThatIsRequiredAfterAValidationPausesTheRunAtOnce) {
  acts_["v"] = [](PluginContext& context) { return context.run().Validate().status(); };
  acts_["a"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  Attach("v", "at(5)");
  PluginSpec spec = Spec("a", "always", PluginPoint::kAfterValidation);
  spec.required = true;
  Attach(spec);
  TrainTo(5);
  ASSERT_EQ(failures_.size(), 1);
  EXPECT_TRUE(failures_[0].paused);
  ASSERT_EQ(wishes_.size(), 1);
  EXPECT_EQ(std::get<TargetChange>(wishes_[0].change).kind, TargetChange::Kind::kPause);
}

TEST_F(PluginFailureTest, OneThatIsRequiredAndMerelyTakesTooLongIsNotDueAgain) {
  acts_["a"] = [this](PluginContext&) {
    time_ += std::chrono::hours(1);
    return absl::OkStatus();
  };
  PluginSpec spec = Spec("a", "each(10)");
  spec.required = true;
  Attach(spec);
  TrainTo(19);
  EXPECT_EQ(calls_, (Calls{"a@10"}));
}

TEST_F(PluginFailureTest, OneThatIsNotRequiredIsDueWhenItsScheduleSaysSo) {
  acts_["a"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  Attach("a", "each(10)");
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"a@10", "a@20"}));
}

TEST_F(PluginFailureTest, OneThatDetachedItselfIsNotDetachedAgain) {
  acts_["a"] = [this](PluginContext& context) {
    context.Ask(DetachPluginChange{"a"}, "enough");
    time_ += std::chrono::hours(1);
    return absl::OkStatus();
  };
  PluginSpec spec = Spec("a", "always");
  spec.max_failures = 1;
  Attach(spec);
  TrainTo(1);
  ASSERT_EQ(failures_.size(), 1);
  EXPECT_FALSE(failures_[0].detached);
  EXPECT_EQ(wishes_.size(), 1);
}

TEST_F(PluginFailureTest, OneOfTheRunItselfStays) {
  ScriptedBuiltIn::Script script;
  script.due_batch = 0;
  script.act = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script));
  TrainTo(5);
  ASSERT_EQ(failures_.size(), 5);
  EXPECT_FALSE(failures_.back().detached);
  EXPECT_TRUE(wishes_.empty());
}

TEST_F(PluginFailureTest, AReasonToEndIsCutAsANoteIs) {
  acts_["a"] = [](PluginContext& context) {
    context.SetDone(std::string(2 * kMaxNoteBytes, 'a') + "\xff");
    return absl::OkStatus();
  };
  Attach("a", "always");
  TrainTo(1);
  ASSERT_EQ(wishes_.size(), 1);
  const std::string& message = std::get<StopChange>(wishes_[0].change).message;
  EXPECT_LE(message.size(), static_cast<size_t>(kMaxNoteBytes));
  EXPECT_TRUE(absl::EndsWith(message, "a…"));
}

TEST_F(PluginFailureTest, NotesAreCutToWhatAControlMayCarry) {
  acts_["a"] = [](PluginContext& context) {
    context.Ask(KnobChange{"eta", 1}, std::string(2 * kMaxNoteBytes, 'a'));
    return absl::OkStatus();
  };
  Attach("a", "always");
  TrainTo(1);
  ASSERT_EQ(wishes_.size(), 1);
  EXPECT_LE(wishes_[0].note.size(), static_cast<size_t>(kMaxNoteBytes));
  EXPECT_TRUE(absl::EndsWith(wishes_[0].note, "a…"));
}

}  // namespace
}  // namespace pilothouse::trainer
