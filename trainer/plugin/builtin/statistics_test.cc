#include "trainer/plugin/builtin/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/plugin/builtin/builtin_fixture.h"
#include "trainer/plugin/builtin/distribution.h"
#include "trainer/plugin/fake_run_view.h"

namespace pilothouse::trainer {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

PluginOutput Report(std::map<std::string, std::string> settings, RunView& run) {
  auto plugin = MakePlugin("statistics", std::move(settings), {});
  EXPECT_TRUE(plugin.ok()) << plugin.status();
  Called called = Call(**plugin, run);
  EXPECT_TRUE(called.status.ok()) << called.status;
  EXPECT_THAT(called.wishes, IsEmpty());
  EXPECT_EQ(called.outputs.size(), 1U);
  return called.outputs.empty() ? PluginOutput() : called.outputs[0];
}

std::map<std::string, double> ValuesOf(const PluginOutput& output) {
  return {output.values.begin(), output.values.end()};
}

FakeRunView ARun() {
  FakeRunView run;
  run.current_batch = 7;
  run.state = {3, -4, 5};
  run.gradient = {0.5, 0.5, 2};
  run.activations = {{"layers.0", false, {{2, 1}, std::vector<double>{1, 3}}},
                     {"layers.1", true, {{2, 4}, std::vector<float>{0, 1, 0, 2, 0, 0, 0, 1}}}};
  return run;
}

TEST(Statistics, MeasuresEachPartOfTheNetworkByItsName) {
  FakeRunView run = ARun();
  const PluginOutput output = Report({}, run);
  const std::map<std::string, double> expected = {{"layers.0.weight.norm", 5},
                                                  {"layers.0.weight.mean", -0.5},
                                                  {"layers.0.weight.std", 3.5},
                                                  {"layers.0.weight.min", -4},
                                                  {"layers.0.weight.max", 3},
                                                  {"layers.0.bias.norm", 5},
                                                  {"layers.0.bias.mean", 5},
                                                  {"layers.0.bias.std", 0},
                                                  {"layers.0.bias.min", 5},
                                                  {"layers.0.bias.max", 5},
                                                  {"gradient.layers.0.weight.norm", std::sqrt(0.5)},
                                                  {"gradient.layers.0.weight.mean", 0.5},
                                                  {"gradient.layers.0.weight.std", 0},
                                                  {"gradient.layers.0.bias.norm", 2},
                                                  {"gradient.layers.0.bias.mean", 2},
                                                  {"gradient.layers.0.bias.std", 0},
                                                  {"layers.0.mean", 2},
                                                  {"layers.0.std", 1},
                                                  {"layers.1.mean", 0.5},
                                                  {"layers.1.std", std::sqrt(0.5)},
                                                  {"layers.1.dead", 0.5}};
  EXPECT_EQ(ValuesOf(output).size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_NEAR(ValuesOf(output)[name], value, 1e-15) << name;
  EXPECT_EQ(output.message, "");
  EXPECT_THAT(output.histograms, IsEmpty());
}

TEST(Statistics, LooksAtWhatIsAskedFor) {
  FakeRunView run = ARun();
  EXPECT_EQ(Report({{"of", "gradients"}}, run).values.size(), 6U);
  EXPECT_EQ(Report({{"of", "activations, weights"}}, run).values.size(), 15U);
  run.current_batch = 0;
  run.activations.clear();
  EXPECT_EQ(Report({}, run).values.size(), 10U) << "before any batch there are weights only";
}

TEST(Statistics, CountsValuesInBins) {
  FakeRunView run = ARun();
  run.state = {0, 1, 7};
  const PluginOutput output = Report({{"histograms", "yes"}, {"bins", "4"}}, run);
  ASSERT_EQ(output.histograms.size(), 6U);
  EXPECT_EQ(output.histograms[0].name, "layers.0.weight");
  EXPECT_EQ(output.histograms[0].minimum, 0);
  EXPECT_EQ(output.histograms[0].maximum, 1);
  EXPECT_EQ(output.histograms[0].counts, (std::vector<int64_t>{1, 0, 0, 1}));
  EXPECT_EQ(output.histograms[1].name, "layers.0.bias");
  EXPECT_LT(output.histograms[1].minimum, 7);
  EXPECT_GT(output.histograms[1].maximum, 7);
  EXPECT_EQ(output.histograms[1].counts, (std::vector<int64_t>{0, 0, 1, 0}));
  EXPECT_EQ(output.histograms[5].name, "layers.1");
  EXPECT_EQ(output.histograms[5].counts, (std::vector<int64_t>{5, 0, 2, 1}));
}

TEST(Statistics, HistogramsHoldEveryValueWhateverItsSize) {
  for (const double scale : {1e-300, 1e-20, 1.0, 1e20, 1e100}) {
    for (const double centre : {0.0, 1.0, -5.0}) {
      std::vector<double> values;
      for (int i = 0; i <= 100; ++i) values.push_back(scale * (centre + i * 0.01));
      const NumberArray array{{101}, values};
      const auto measured = Measure(array, 0, 101);
      ASSERT_TRUE(measured.has_value());
      const Histogram histogram = MakeHistogram("x", array, 0, 101, *measured, 10);
      int64_t total = 0;
      for (const int64_t count : histogram.counts) total += count;
      EXPECT_EQ(total, 101) << scale << " " << centre;
      EXPECT_GT(histogram.counts.front(), 0);
      EXPECT_GT(histogram.counts.back(), 0);
    }
  }
}

TEST(Statistics, LeavesOutWhatIsNotFiniteAndSaysSo) {
  FakeRunView run = ARun();
  run.state[0] = std::numeric_limits<double>::quiet_NaN();
  run.gradient[2] = std::numeric_limits<double>::infinity();
  const PluginOutput output = Report({{"histograms", "yes"}}, run);
  for (const auto& [name, value] : output.values) EXPECT_TRUE(std::isfinite(value)) << name;
  EXPECT_EQ(ValuesOf(output).count("layers.0.weight.norm"), 0U);
  EXPECT_EQ(ValuesOf(output).count("layers.0.bias.norm"), 1U);
  EXPECT_EQ(output.message, "Not finite, or too large to be summed: layers.0.weight, gradient.layers.0.bias.");
}

TEST(Statistics, StaysWithinTheBoundsOfAReportAndSaysSo) {
  FakeRunView run = ARun();
  run.activations.clear();
  run.parameter_blocks.clear();
  for (int i = 0; i < 150; ++i) run.parameter_blocks.push_back({absl::StrCat("layers.", i, ".weight"), {3}, 0, 3});
  const PluginOutput output = Report({{"histograms", "yes"}, {"bins", "2"}}, run);
  EXPECT_EQ(output.values.size(), static_cast<size_t>(kMaxPluginValues));
  EXPECT_EQ(output.histograms.size(), static_cast<size_t>(kMaxPluginHistograms));
  EXPECT_THAT(output.message, HasSubstr("1024 values; 176 more are left out"));
  EXPECT_THAT(output.message, HasSubstr("256 histograms; 44 more are left out"));
}

TEST(Statistics, ReportsNothingOnceTheRunHasEnded) {
  FakeRunView run = ARun();
  auto plugin = MakePlugin("statistics", {}, {});
  ASSERT_TRUE(plugin.ok());
  EXPECT_THAT(Call(**plugin, run, /*done=*/true).outputs, IsEmpty());
}

TEST(Statistics, RefusesSettingsThatMakeNoSense) {
  const std::map<std::string, std::string> wrong[] = {
      {{"of", "weights,biases"}}, {{"of", ""}},    {{"of", "weights,,"}}, {{"of", "weights,weights"}},
      {{"histograms", "maybe"}},  {{"bins", "0"}}, {{"bins", "257"}}};
  for (const auto& settings : wrong) {
    EXPECT_EQ(ReasonOf(MakePlugin("statistics", settings, {}).status()), v1::ERROR_REASON_PLUGIN_SETTING_INVALID)
        << settings.begin()->first << "=" << settings.begin()->second;
  }
}

}  // namespace
}  // namespace pilothouse::trainer
