// Test support: a run for plugins that look at it and decide.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DECIDING_FIXTURE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DECIDING_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/plugin/builtin/builtin_fixture.h"
#include "trainer/plugin/fake_run_view.h"

namespace pilothouse::trainer {

class DecidingTest : public testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;

  DecidingTest() {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    run_.run_directory =
        absl::StrCat(testing::TempDir(), "/", test->test_suite_name(), "-", test->name(), "-", getpid());
    surroundings_.validation_examples = 5;
    surroundings_.knobs = {"eta"};
    surroundings_.timelines = &run_.run_timelines;
  }
  ~DecidingTest() override { std::filesystem::remove_all(run_.run_directory); }

  std::unique_ptr<Plugin> Make(const std::string& kind, Settings settings = {}) {
    auto plugin = MakePlugin(kind, std::move(settings), surroundings_);
    EXPECT_TRUE(plugin.ok()) << plugin.status();
    return plugin.ok() ? *std::move(plugin) : nullptr;
  }

  // Another one with the memory of `plugin`.
  std::unique_ptr<Plugin> Restored(const Plugin& plugin, const std::string& kind, Settings settings = {}) {
    std::unique_ptr<Plugin> restored = Make(kind, std::move(settings));
    EXPECT_TRUE(restored->Restore(plugin.Save()).ok());
    return restored;
  }

  // Why settings are refused.
  std::string Refusal(const std::string& kind, Settings settings,
                      v1::ErrorReason reason = v1::ERROR_REASON_PLUGIN_SETTING_INVALID) {
    const auto plugin = MakePlugin(kind, std::move(settings), surroundings_);
    EXPECT_EQ(ReasonOf(plugin.status()), reason) << plugin.status();
    return std::string(plugin.status().message());
  }

  // Trains one batch, validates and calls the plugin.
  Called AfterValidation(Plugin& plugin, double loss, std::optional<double> accuracy = std::nullopt) {
    run_.GoTo(run_.current_batch + 1);
    run_.next_validation_loss = loss;
    run_.next_validation_accuracy = accuracy;
    EXPECT_TRUE(run_.Validate().ok());
    return Call(plugin, run_);
  }

  // Goes on to a batch and calls the plugin.
  Called At(Plugin& plugin, int64_t batch) {
    run_.GoTo(batch);
    return Call(plugin, run_);
  }

  // What a call wants the run to end with; empty: it does not want it to.
  static std::string DoneReason(const Called& called) {
    EXPECT_TRUE(called.status.ok()) << called.status;
    if (called.wishes.empty()) return "";
    const auto* stop = std::get_if<StopChange>(&called.wishes.front().change);
    return stop != nullptr && stop->completed ? stop->message : "";
  }

  // The eta that a call asks for; nullopt: none.
  static std::optional<double> AskedEta(const Called& called) {
    EXPECT_TRUE(called.status.ok()) << called.status;
    if (called.wishes.empty()) return std::nullopt;
    const auto* knob = std::get_if<KnobChange>(&called.wishes.front().change);
    return knob != nullptr && knob->name == "eta" ? std::optional<double>(knob->value) : std::nullopt;
  }

  // A value of a call's only output; nullopt: it reports none of this name.
  static std::optional<double> Reported(const Called& called, const std::string& name) {
    if (called.outputs.size() != 1) return std::nullopt;
    for (const auto& [each, value] : called.outputs.front().values) {
      if (each == name) return value;
    }
    return std::nullopt;
  }

  // The content of a file in the run's folder of saved parameters; empty: there is none.
  std::string Saved(const std::string& file) const {
    std::ifstream stream(run_.run_directory + "/saved/" + file);
    std::ostringstream content;
    content << stream.rdbuf();
    return content.str();
  }

  FakeRunView run_;
  PluginSurroundings surroundings_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_DECIDING_FIXTURE_H_
