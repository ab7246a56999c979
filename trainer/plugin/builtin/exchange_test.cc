#include "trainer/plugin/builtin/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/plugin/builtin/builtin_fixture.h"
#include "trainer/plugin/builtin/published_state.h"
#include "trainer/plugin/fake_run_view.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::DoubleNear;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() { run_ = RunOf("own", 0.5); }
  ~ExchangeTest() override { fs::remove_all(runs_); }

  // A run at batch 500 with this loss.
  FakeRunView RunOf(const std::string& id, double loss) {
    FakeRunView run;
    run.id = id;
    run.run_directory = runs_ + "/" + id;
    fs::create_directories(run.run_directory);
    run.GoTo(500);
    run.current_loss = loss;
    return run;
  }

  PluginSurroundings SurroundingsOf(const FakeRunView& run) {
    PluginSurroundings surroundings;
    surroundings.run_id = run.id;
    surroundings.directory = run.run_directory;
    surroundings.runs_directory = runs_;
    surroundings.parameters = 3;
    surroundings.validation_examples = validation_examples_;
    surroundings.knobs = {"eta"};
    surroundings.optimizer = optimizer_;
    surroundings.seed = seed_;
    return surroundings;
  }

  std::unique_ptr<Plugin> Make(const FakeRunView& run, std::map<std::string, std::string> settings) {
    auto plugin = MakePlugin("exchange", std::move(settings), SurroundingsOf(run));
    EXPECT_TRUE(plugin.ok()) << plugin.status();
    return *std::move(plugin);
  }

  // Lets another run publish its state.
  FakeRunView Publish(const std::string& id, double loss, double eta = 0.1) {
    FakeRunView run = RunOf(id, loss);
    run.knobs["eta"] = eta;
    run.state = {loss, 1, 1};
    EXPECT_TRUE(Call(*Make(run, {{"with", "own"}}), run).status.ok());
    return run;
  }

  Called CallOwn(std::map<std::string, std::string> settings) { return Call(*Make(run_, std::move(settings)), run_); }

  const std::string runs_ = absl::StrCat(testing::TempDir(), "/exchange-", getpid());
  FakeRunView run_;
  int64_t validation_examples_ = 0;
  std::string optimizer_ = "gradient_descent";
  uint64_t seed_ = 1;
};

TEST_F(ExchangeTest, TakesOverTheBestOfTheOthersIfItIsBetter) {
  Publish("good", 0.3, 0.02);
  Publish("best", 0.2, 0.04);
  const Called called = CallOwn({{"with", "good, best"}});
  ASSERT_TRUE(called.status.ok()) << called.status;
  ASSERT_EQ(called.wishes.size(), 2U);
  const auto& parameters = std::get<ParametersChange>(called.wishes[0].change);
  EXPECT_EQ(parameters.from_run_id, "best");
  EXPECT_EQ(parameters.from_batch, 500);
  EXPECT_EQ(*FileHash(run_.run_directory + "/" + parameters.file), parameters.sha256);
  EXPECT_EQ(parameters.sha256, *FileHash(runs_ + "/best/exchanged/own.safetensors"));
  const auto& knob = std::get<KnobChange>(called.wishes[1].change);
  EXPECT_EQ(knob.name, "eta");
  EXPECT_THAT(knob.value, AnyOf(DoubleNear(0.048, 1e-12), DoubleNear(0.04 / 1.2, 1e-12)));
  EXPECT_EQ(called.wishes[0].note, "took over a better state: loss 0.5, and 0.2 of run best at batch 500");
  ASSERT_EQ(called.outputs.size(), 1U);
  EXPECT_THAT(called.outputs[0].message, HasSubstr("Takes over a better state: loss 0.5"));
}

TEST_F(ExchangeTest, TakesNoEtaFromARunWithAnotherOptimizer) {
  optimizer_ = "adam";
  Publish("other", 0.2, 0.001);
  optimizer_ = "momentum";
  const Called called = CallOwn({{"with", "other"}});
  ASSERT_EQ(called.wishes.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<ParametersChange>(called.wishes[0].change));
  EXPECT_THAT(called.outputs[0].message, HasSubstr("keeps its own eta, since that run has the optimizer adam"));
  optimizer_ = "adam";
  EXPECT_EQ(CallOwn({{"with", "other"}}).wishes.size(), 2U);
}

TEST_F(ExchangeTest, KeepsItsOwnStateUnlessAnotherIsBetterByTheMargin) {
  Publish("other", 0.45);
  EXPECT_EQ(CallOwn({{"with", "other"}, {"margin", "0.09"}}).wishes.size(), 2U);
  const Called within = CallOwn({{"with", "other"}, {"margin", "0.11"}});
  EXPECT_THAT(within.wishes, IsEmpty());
  EXPECT_THAT(within.outputs[0].message, HasSubstr("Kept its own state"));
  run_.current_loss = 0.45;
  EXPECT_THAT(CallOwn({{"with", "other"}}).wishes, IsEmpty()) << "a tie is not better";
}

TEST_F(ExchangeTest, PublishesItsStateWithWhatIsToBeKnownAboutIt) {
  ASSERT_TRUE(CallOwn({{"with", "nobody"}}).status.ok());
  const auto state = ReadPublishedState(run_.run_directory);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->batch, 500);
  EXPECT_EQ(state->metric, "loss");
  EXPECT_EQ(state->value, 0.5);
  EXPECT_EQ(state->eta, 0.1);
  EXPECT_EQ(state->sha256, *FileHash(run_.run_directory + "/exchanged/own.safetensors"));
}

TEST_F(ExchangeTest, ItsOwnNaNIsWorseThanAnythingAndIsNotPublished) {
  Publish("other", 1e6);
  CallOwn({{"with", "nobody"}});
  for (const double diverged : {kNotANumber, std::numeric_limits<double>::infinity()}) {
    run_.current_loss = diverged;
    EXPECT_EQ(CallOwn({{"with", "other"}}).wishes.size(), 2U);
    EXPECT_EQ(ReadPublishedState(run_.run_directory)->value, 0.5);
  }
}

TEST_F(ExchangeTest, PassesOverWhatIsMissingDamagedOrMeasuredOtherwise) {
  Publish("good", 0.3);
  fs::create_directories(runs_ + "/half/exchanged");
  std::ofstream(runs_ + "/half/exchanged/own.json") << R"({"batch": 3, "metric": "loss", "val)";
  fs::create_directories(runs_ + "/odd/exchanged");
  std::ofstream(runs_ + "/odd/exchanged/own.json")
      << R"({"batch": 3, "metric": "loss", "value": null, "eta": 0.1, "sha256": "00"})";
  fs::create_directories(runs_ + "/huge/exchanged");
  std::ofstream(runs_ + "/huge/exchanged/own.json") << std::string(kMaxPublishedDescriptionBytes + 1, ' ');
  FakeRunView otherwise = RunOf("otherwise", 0.01);
  ASSERT_TRUE(Call(*Make(otherwise, {{"with", "own"}, {"metric", "eta"}}), otherwise).status.ok());
  const Called called = CallOwn({{"with", "missing,half,odd,huge,otherwise,good"}});
  ASSERT_EQ(called.wishes.size(), 2U);
  EXPECT_EQ(std::get<ParametersChange>(called.wishes[0].change).from_run_id, "good");
  EXPECT_THAT(called.outputs[0].message, HasSubstr("Nothing to be had of: missing, half, odd, huge, otherwise."));
}

TEST_F(ExchangeTest, TakesNothingThatHasChangedSinceItWasDescribed) {
  Publish("other", 0.3);
  std::ofstream(runs_ + "/other/exchanged/own.safetensors") << "newer parameters";
  const Called changed = CallOwn({{"with", "other"}});
  EXPECT_TRUE(changed.status.ok());
  EXPECT_THAT(changed.wishes, IsEmpty());
  EXPECT_THAT(changed.outputs[0].message, HasSubstr("Could not take over a state."));
  EXPECT_THAT(changed.outputs[0].message, HasSubstr("has changed since it was described"));
  fs::remove(runs_ + "/other/exchanged/own.safetensors");
  EXPECT_THAT(CallOwn({{"with", "other"}}).wishes, IsEmpty());
  for (const auto& entry : fs::directory_iterator(run_.run_directory + "/exchanged")) {
    EXPECT_THAT(entry.path().filename(), AnyOf("own.json", "own.safetensors"));
  }
}

TEST_F(ExchangeTest, TakesNothingOfARunThatIsMeasuredOnAnotherNumberOfExamples) {
  validation_examples_ = 5;
  FakeRunView other = RunOf("other", 0.5);
  other.next_validation_loss = 0.1;
  ASSERT_TRUE(Call(*Make(other, {{"with", "own"}}), other).status.ok());
  run_.next_validation_loss = 0.2;
  EXPECT_EQ(CallOwn({{"with", "other"}}).wishes.size(), 2U);
  validation_examples_ = 6;
  const Called called = CallOwn({{"with", "other"}});
  EXPECT_THAT(called.wishes, IsEmpty());
  EXPECT_THAT(called.outputs[0].message, HasSubstr("Nothing to be had of: other."));
}

TEST_F(ExchangeTest, TakesTheNextBestWhereTheBestIsOfAnotherNetwork) {
  FakeRunView other = RunOf("other", 0.1);
  other.state = {1, 2, 3, 4};
  ASSERT_TRUE(Call(*Make(other, {{"with", "own"}}), other).status.ok());
  Publish("good", 0.3);
  const Called called = CallOwn({{"with", "other,good"}});
  ASSERT_EQ(called.wishes.size(), 2U);
  EXPECT_EQ(std::get<ParametersChange>(called.wishes[0].change).from_run_id, "good");
  EXPECT_THAT(called.outputs[0].message, HasSubstr("Nothing to be had of: other."));
}

TEST_F(ExchangeTest, TakesNothingOfAnotherNetworkAndKeepsNoCopyOfIt) {
  FakeRunView other = RunOf("other", 0.3);
  other.state = {1, 2, 3, 4};
  ASSERT_TRUE(Call(*Make(other, {{"with", "own"}}), other).status.ok());
  const auto plugin = Make(run_, {{"with", "other"}, {"min_batches", "500"}});
  const Called called = Call(*plugin, run_);
  EXPECT_TRUE(called.status.ok());
  EXPECT_THAT(called.wishes, IsEmpty());
  EXPECT_THAT(called.outputs[0].message, HasSubstr("those of another network"));
  EXPECT_EQ(called.outputs[0].values.back().second, 0) << "it was no exchange";
  for (const auto& entry : fs::directory_iterator(run_.run_directory + "/exchanged")) {
    EXPECT_THAT(entry.path().filename(), AnyOf("own.json", "own.safetensors"));
  }
  Publish("other", 0.3);
  EXPECT_EQ(Call(*plugin, run_).wishes.size(), 2U) << "it need not wait";
}

TEST_F(ExchangeTest, KeepsEachCopyUnderANameOfItsOwn) {
  const auto taken = [&] { return std::get<ParametersChange>(CallOwn({{"with", "other"}}).wishes.at(0).change).file; };
  Publish("other", 0.3);
  const std::string first = taken();
  EXPECT_EQ(taken(), first) << "the same state again";
  // Rewound, the other run comes to the same batch with other parameters.
  Publish("other", 0.2);
  const std::string second = taken();
  EXPECT_NE(second, first);
  EXPECT_TRUE(fs::exists(run_.run_directory + "/" + first));
  EXPECT_THAT(first, testing::StartsWith("exchanged/from-other-500-"));
}

TEST_F(ExchangeTest, LearnsForAWhileBeforeItTakesAnythingOver) {
  Publish("other", 0.3);
  const auto plugin = Make(run_, {{"with", "other"}, {"min_batches", "600"}});
  const Called early = Call(*plugin, run_);
  EXPECT_THAT(early.wishes, IsEmpty());
  EXPECT_THAT(early.outputs[0].message, HasSubstr("Waits until batch 600"));
  run_.GoTo(1000);
  EXPECT_EQ(Call(*plugin, run_).wishes.size(), 2U);
  run_.GoTo(1500);
  EXPECT_THAT(Call(*plugin, run_).wishes, IsEmpty());
  const auto restored = Make(run_, {{"with", "other"}, {"min_batches", "600"}});
  ASSERT_TRUE(restored->Restore(plugin->Save()).ok());
  EXPECT_THAT(Call(*restored, run_).wishes, IsEmpty()) << "it remembers when it exchanged last";
  run_.GoTo(1600);
  EXPECT_EQ(Call(*restored, run_).wishes.size(), 2U);
  EXPECT_FALSE(restored->Restore("one").ok());
}

TEST_F(ExchangeTest, PerturbsEtaByTheSeedAndTheNumberOfExchanges) {
  Publish("other", 0.3, 1.0);
  const auto etas = [&](uint64_t seed) {
    seed_ = seed;
    const auto plugin = Make(run_, {{"with", "other"}, {"perturb", "2"}});
    std::vector<double> drawn;
    for (int i = 0; i < 32; ++i) {
      const Called called = Call(*plugin, run_);
      drawn.push_back(std::get<KnobChange>(called.wishes.at(1).change).value);
    }
    return drawn;
  };
  const std::vector<double> drawn = etas(1);
  EXPECT_EQ(etas(1), drawn);
  EXPECT_NE(etas(2), drawn);
  const auto up = std::count(drawn.begin(), drawn.end(), 2.0);
  EXPECT_EQ(up + std::count(drawn.begin(), drawn.end(), 0.5), 32);
  EXPECT_GT(up, 0);
  EXPECT_LT(up, 32);
}

TEST_F(ExchangeTest, JudgesByValidationWhereExamplesAreHeldOut) {
  validation_examples_ = 5;
  FakeRunView other = RunOf("other", 9);
  other.next_validation_loss = 0.1;
  other.next_validation_accuracy = 0.5;
  ASSERT_TRUE(Call(*Make(other, {{"with", "own"}}), other).status.ok());
  EXPECT_EQ(ReadPublishedState(other.run_directory)->metric, "validation_loss");
  run_.next_validation_loss = 0.2;
  run_.next_validation_accuracy = 0.6;
  EXPECT_EQ(CallOwn({{"with", "other"}}).wishes.size(), 2U);
  EXPECT_EQ(run_.last_validation->batch, 500);

  ASSERT_TRUE(Call(*Make(other, {{"with", "own"}, {"metric", "validation_accuracy"}}), other).status.ok());
  EXPECT_THAT(CallOwn({{"with", "other"}, {"metric", "validation_accuracy"}}).wishes, IsEmpty()) << "more is better";
  run_.next_validation_accuracy.reset();
  EXPECT_FALSE(CallOwn({{"with", "other"}, {"metric", "validation_accuracy"}}).status.ok());
}

TEST_F(ExchangeTest, SaysThatItsStateCannotBePublished) {
  run_.can_save = false;
  EXPECT_FALSE(CallOwn({{"with", "other"}}).status.ok());
}

TEST_F(ExchangeTest, RefusesSettingsThatMakeNoSense) {
  const std::map<std::string, std::string> wrong[] = {
      {},
      {{"with", "own"}},
      {{"with", "other,own"}},
      {{"with", "../other"}},
      {{"with", "other,other"}},
      {{"with", "-other"}},
      {{"with", std::string(64, 'a')}},
      {{"with", "other"}, {"metric", "weather"}},
      {{"with", "other"}, {"goal", "win"}},
      {{"with", "other"}, {"margin", "-1"}},
      {{"with", "other"}, {"perturb", "0.5"}},
      {{"with", "other"}, {"min_batches", "x"}},
  };
  for (const auto& settings : wrong) {
    EXPECT_EQ(ReasonOf(MakePlugin("exchange", settings, SurroundingsOf(run_)).status()),
              v1::ERROR_REASON_PLUGIN_SETTING_INVALID)
        << testing::PrintToString(settings);
  }
  EXPECT_EQ(
      ReasonOf(
          MakePlugin("exchange", {{"with", "other"}, {"metric", "validation_loss"}}, SurroundingsOf(run_)).status()),
      v1::ERROR_REASON_NO_VALIDATION_DATA);
}

}  // namespace
}  // namespace pilothouse::trainer
