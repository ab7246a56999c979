#include "service/runs/pending_controls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

v1::Control EtaControl(const std::string& request_id, double eta) {
  v1::Control control;
  control.set_request_id(request_id);
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_change()->mutable_knob()->set_value(eta);
  return control;
}

// Collects what callbacks are given.
struct Answers {
  std::vector<absl::StatusOr<ControlOutcome>> got;
  ControlCallback Callback() {
    return [this](absl::StatusOr<ControlOutcome> outcome) { got.push_back(std::move(outcome)); };
  }
};

ControlOutcome OutcomeAt(int64_t batch) {
  ControlOutcome outcome;
  outcome.receipt.set_applied_batch(batch);
  return outcome;
}

TEST(PendingControls, EverybodyWhoAsksForTheSameControlGetsTheSameReceipt) {
  PendingControls pending;
  Answers answers;
  EXPECT_EQ(*pending.Add(EtaControl("a", 0.5), answers.Callback()), PendingControls::Added::kNew);
  EXPECT_EQ(*pending.Add(EtaControl("a", 0.5), answers.Callback()), PendingControls::Added::kJoined);
  pending.Resolve("a", OutcomeAt(7));
  ASSERT_EQ(answers.got.size(), 2U);
  EXPECT_EQ(answers.got[0]->receipt.applied_batch(), 7);
  EXPECT_EQ(answers.got[1]->receipt.applied_batch(), 7);
  pending.Resolve("a", OutcomeAt(8));
  EXPECT_EQ(answers.got.size(), 2U);
}

TEST(PendingControls, AnIdUnderWayForAnotherChangeIsRefused) {
  PendingControls pending;
  Answers answers;
  ASSERT_TRUE(pending.Add(EtaControl("a", 0.5), answers.Callback()).ok());
  EXPECT_EQ(ReasonOf(pending.Add(EtaControl("a", 0.6), answers.Callback()).status()),
            v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST(PendingControls, SettingsOfAPluginAreTheSameInWhateverOrderTheyWereGiven) {
  const auto attach = [](bool forwards, const std::string& last) {
    v1::Change change;
    v1::PluginSpec& plugin = *change.mutable_attach_plugin()->mutable_plugin();
    for (int i = 0; i < 40; ++i) {
      (*plugin.mutable_settings())[std::to_string(forwards ? i : 39 - i)] = "value";
    }
    (*plugin.mutable_settings())["last"] = last;
    return change;
  };
  EXPECT_TRUE(SameChange(attach(true, "a"), attach(false, "a")));
  EXPECT_FALSE(SameChange(attach(true, "a"), attach(false, "b")));
  // As it comes back from a journal.
  v1::Change read;
  ASSERT_TRUE(read.ParseFromString(attach(true, "a").SerializeAsString()));
  EXPECT_TRUE(SameChange(read, attach(false, "a")));
}

TEST(PendingControls, UnsetIsNotTheSameAsZeroWhereTheDifferenceIsKept) {
  v1::Change unset;
  unset.mutable_attach_plugin()->mutable_plugin()->set_kind("validate");
  v1::Change zero = unset;
  zero.mutable_attach_plugin()->mutable_plugin()->set_priority(0);
  EXPECT_FALSE(SameChange(unset, zero));
}

TEST(PendingControls, AreBounded) {
  PendingControls pending;
  Answers answers;
  for (size_t i = 0; i < kMaxPendingControls; ++i) {
    ASSERT_TRUE(pending.Add(EtaControl(std::to_string(i), 0.5), answers.Callback()).ok());
  }
  EXPECT_EQ(ReasonOf(pending.Add(EtaControl("more", 0.5), answers.Callback()).status()),
            v1::ERROR_REASON_TOO_MANY_CONTROLS);
  for (size_t i = 0; i < kMaxPendingQueries; ++i) ASSERT_TRUE(pending.AddQuery([](const auto&) {}).ok());
  EXPECT_EQ(ReasonOf(pending.AddQuery([](const auto&) {}).status()), v1::ERROR_REASON_TOO_MANY_CONTROLS);
}

TEST(PendingControls, ThoseThatWaitForABatchKeepNobodyOut) {
  PendingControls pending;
  Answers answers;
  const auto at_batch = [](const std::string& id) {
    v1::Control control = EtaControl(id, 0.5);
    control.set_at_batch(1'000'000);
    return control;
  };
  for (size_t i = 0; i < kMaxScheduledControls; ++i) {
    ASSERT_TRUE(pending.Add(at_batch(std::to_string(i)), answers.Callback()).ok());
  }
  EXPECT_EQ(ReasonOf(pending.Add(at_batch("more"), answers.Callback()).status()), v1::ERROR_REASON_TOO_MANY_CONTROLS);
  EXPECT_TRUE(pending.Add(EtaControl("now", 0.5), answers.Callback()).ok());
  pending.Resolve("0", OutcomeAt(1'000'000));
  EXPECT_TRUE(pending.Add(at_batch("more"), answers.Callback()).ok());
}

TEST(PendingControls, AStopIsTakenHoweverManyOthersThereAre) {
  PendingControls pending;
  Answers answers;
  for (size_t i = 0; i < kMaxPendingControls; ++i) {
    ASSERT_TRUE(pending.Add(EtaControl(std::to_string(i), 0.5), answers.Callback()).ok());
  }
  v1::Control stop;
  stop.set_request_id("stop");
  stop.mutable_change()->mutable_stop();
  EXPECT_TRUE(pending.Add(stop, answers.Callback()).ok());
}

TEST(PendingControls, TheOldestOfTooManyAskersGivesWay) {
  PendingControls pending;
  Answers answers;
  for (size_t i = 0; i <= kMaxWaitersPerControl; ++i) {
    ASSERT_TRUE(pending.Add(EtaControl("a", 0.5), answers.Callback()).ok());
  }
  ASSERT_EQ(answers.got.size(), 1U);
  EXPECT_EQ(ReasonOf(answers.got[0].status()), v1::ERROR_REASON_TOO_MANY_CONTROLS);
  pending.Resolve("a", OutcomeAt(1));
  EXPECT_EQ(answers.got.size(), 1U + kMaxWaitersPerControl);
}

TEST(PendingControls, FailAllAnswersControlsAndQueriesOnce) {
  PendingControls pending;
  Answers answers;
  int queries = 0;
  ASSERT_TRUE(pending.Add(EtaControl("a", 0.5), answers.Callback()).ok());
  const auto id = pending.AddQuery([&](const absl::StatusOr<v1::Answer>& answer) { queries += answer.ok() ? 0 : 1; });
  pending.FailAll(absl::UnavailableError("gone"));
  pending.ResolveQuery(*id, v1::Answer());
  EXPECT_EQ(answers.got.size(), 1U);
  EXPECT_EQ(queries, 1);
}

}  // namespace
}  // namespace pilothouse::service
