#include "trainer/plugin/saved_plugins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "trainer/plugin/plugin_host_fixture.h"

namespace pilothouse::trainer {
namespace {

SavedPlugin Everything() {
  SavedPlugin plugin;
  PluginSpec& spec = plugin.status.spec;
  spec.name = "all-of-it";
  spec.kind = "script";
  spec.schedule = "each(10) except(\"20\")";
  spec.timeline = Timeline::kTrainingTime;
  spec.point = PluginPoint::kAfterValidation;
  spec.settings = {{"act", "näh \"quoted\"\n"}, {"file", ""}};
  spec.priority = -100;
  spec.required = true;
  spec.allowance = std::chrono::nanoseconds(1'000'000'001);
  spec.max_failures = 7;
  plugin.status.runs = (int64_t{1} << 53) + 1;
  plugin.status.failures = 2;
  plugin.status.last_batch = 0;
  plugin.status.total_time = std::chrono::nanoseconds((int64_t{1} << 60) + 1);
  plugin.status.last_time = std::chrono::nanoseconds(3);
  plugin.status.last_failure = "It cannot.";
  plugin.status.attached_batch = 4;
  plugin.asked_through = kMaxTicks - 1;
  plugin.failures_in_a_row = 1;
  plugin.owed = true;
  plugin.retry_at = 5;
  plugin.state = std::string("\0\xff binary", 9);
  return plugin;
}

TEST(SavedPlugins, ComeBackExactly) {
  SavedState state;
  SavedPlugin bare;
  bare.status.spec.name = "bare";
  bare.status.built_in = true;
  SavePlugins({Everything(), bare}, state);
  EXPECT_EQ(state.tensors.size(), 1u) << "one that remembers nothing takes none";
  EXPECT_NE(FindTensor(state, "plugins.all-of-it.state", TensorType::kBytes, {9}), nullptr);
  const absl::StatusOr<std::vector<SavedPlugin>> read = ReadSavedPlugins(state);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  const SavedPlugin& plugin = read->front();
  EXPECT_EQ(plugin.state, Everything().state);
  EXPECT_EQ(plugin.asked_through, kMaxTicks - 1);
  EXPECT_EQ(plugin.status.runs, (int64_t{1} << 53) + 1);
  EXPECT_EQ(plugin.status.last_batch, 0);
  EXPECT_EQ(plugin.status.spec.point, PluginPoint::kAfterValidation);
  EXPECT_EQ(plugin.status.spec.timeline, Timeline::kTrainingTime);
  EXPECT_FALSE(read->back().status.last_batch.has_value());
  EXPECT_FALSE(read->back().status.spec.allowance.has_value());
  SavedState again;
  SavePlugins(*read, again);
  EXPECT_EQ(again.texts, state.texts) << "nothing of the rest was lost either";
}

TEST(SavedPlugins, WhatIsMissingOrDamagedIsRefused) {
  SavedState whole;
  SavePlugins({Everything()}, whole);
  SavedState no_text = whole;
  no_text.texts.clear();
  SavedState no_tensor = whole;
  no_tensor.tensors.clear();
  std::vector<SavedState> damaged = {no_text, no_tensor};
  for (const std::string text : {"", "{", "{}", "[1]", "[{}]", R"([{"spec": {}}])"}) {
    damaged.push_back(whole);
    damaged.back().texts["plugins"] = text;
  }
  SavedState other_type = whole;
  std::string& text = other_type.texts["plugins"];
  text.replace(text.find("\"runs\":"), 7, "\"runs\":\"many\",\"r\":");
  damaged.push_back(other_type);
  for (const SavedState& state : damaged) {
    const absl::Status status = ReadSavedPlugins(state).status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED) << status;
  }
}

using SavedHostTest = PluginHostTest;

TEST_F(SavedHostTest, RestoringTakesThePlaceOfWhatWasAttachedSince) {
  Attach("old", "each(10)");
  TrainTo(10);
  const SavedState saved = SavedStateOf(*host_);
  Attach("new", "each(1)");
  ASSERT_TRUE(host_->Detach("old").ok());
  ASSERT_TRUE(host_->Restore(saved).ok());
  ASSERT_EQ(host_->List().size(), 1u);
  EXPECT_EQ(host_->List()[0].spec.name, "old");
  TrainTo(20);
  EXPECT_EQ(calls_, (Calls{"old@10", "old@20"}));
}

TEST_F(SavedHostTest, TheOrderInWhichTheyRunIsTheSame) {
  ScriptedBuiltIn::Script script;
  const auto add_own = [&] { host_->AddBuiltIn(Spec("own", ""), std::make_unique<ScriptedBuiltIn>(&script)); };
  const auto names = [&] {
    std::vector<std::string> list;
    for (const PluginStatus& status : host_->List()) list.push_back(status.spec.name);
    return list;
  };
  add_own();
  for (const std::string name : {"b", "a", "c"}) Attach(name, "each(10)");
  AttachWithPriority("first", -50);
  const std::vector<std::string> before = names();
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  add_own();
  ASSERT_TRUE(host_->Restore(saved).ok());
  EXPECT_EQ(names(), before);
  const SavedState again = SavedStateOf(*host_);
  EXPECT_EQ(again.texts, saved.texts);
}

TEST_F(SavedHostTest, OneThatIsOwedACallGetsItWhenItWouldHave) {
  acts_["a"] = [](PluginContext&) { return absl::AbortedError("It cannot."); };
  PluginSpec spec = Spec("a", "each(10)");
  spec.required = true;
  Attach(spec);
  TrainTo(12);
  const SavedState saved = SavedStateOf(*host_);
  const Calls before = calls_;
  NewHost();
  ASSERT_TRUE(host_->Restore(saved).ok());
  TrainTo(13);
  EXPECT_EQ(calls_, before) << "ten seconds have not passed";
  TrainTo(14, std::chrono::seconds(10));
  EXPECT_EQ(calls_.back(), "a@14");
}

TEST_F(SavedHostTest, AHostThatCannotBeRestoredIsAsItWas) {
  Attach("a", "each(10)");
  SavedState saved = SavedStateOf(*host_);
  NewHost();
  Attach("b", "each(10)");
  saved.texts["plugins"].replace(saved.texts["plugins"].find("script"), 6, "gone11");
  EXPECT_EQ(ReasonOf(host_->Restore(saved)), v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN);
  ASSERT_EQ(host_->List().size(), 1u);
  EXPECT_EQ(host_->List()[0].spec.name, "b");
  TrainTo(10);
  EXPECT_EQ(calls_, Calls{"b@10"});
}

}  // namespace
}  // namespace pilothouse::trainer
