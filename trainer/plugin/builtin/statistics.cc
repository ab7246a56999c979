#include "trainer/plugin/builtin/statistics.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/limits.h"
#include "trainer/plugin/builtin/distribution.h"
#include "trainer/plugin/builtin/list_setting.h"

namespace pilothouse::trainer {
namespace {

constexpr char kWeights[] = "weights";
constexpr char kGradients[] = "gradients";
constexpr char kActivations[] = "activations";

struct Options {
  bool weights = false;
  bool gradients = false;
  bool activations = false;
  // 0: no histograms.
  int64_t bins = 0;
};

// A report within its bounds.
class BoundedOutput {
 public:
  explicit BoundedOutput(int64_t bins) : bins_(bins) {}

  void Add(std::string name, double value) {
    if (output_.values.size() < kMaxPluginValues) {
      output_.values.emplace_back(std::move(name), value);
    } else {
      ++values_left_out_;
    }
  }

  // Measures `size` values of `array` from `offset` on, and adds their histogram. nullopt if that is impossible.
  std::optional<Distribution> Measure(const std::string& name, const NumberArray& array, int64_t offset, int64_t size) {
    std::optional<Distribution> distribution = trainer::Measure(array, offset, size);
    if (!distribution.has_value()) {
      not_finite_.push_back(name);
    } else if (bins_ > 0 && output_.histograms.size() < kMaxPluginHistograms) {
      output_.histograms.push_back(MakeHistogram(name, array, offset, size, *distribution, bins_));
    } else if (bins_ > 0) {
      ++histograms_left_out_;
    }
    return distribution;
  }

  PluginOutput Finish() {
    std::vector<std::string> notes;
    if (!not_finite_.empty()) {
      notes.push_back(absl::StrCat("Not finite, or too large to be summed: ", absl::StrJoin(not_finite_, ", "), "."));
    }
    if (values_left_out_ > 0) {
      notes.push_back(absl::StrCat("A report holds ", kMaxPluginValues, " values; ", values_left_out_,
                                   " more are left out: ask for fewer with the setting \"of\"."));
    }
    if (histograms_left_out_ > 0) {
      notes.push_back(absl::StrCat("A report holds ", kMaxPluginHistograms, " histograms; ", histograms_left_out_,
                                   " more are left out: ask for fewer with the setting \"of\"."));
    }
    output_.message = absl::StrJoin(notes, " ");
    return std::move(output_);
  }

 private:
  const int64_t bins_;
  PluginOutput output_;
  std::vector<std::string> not_finite_;
  int64_t values_left_out_ = 0;
  int64_t histograms_left_out_ = 0;
};

class Statistics final : public StatelessPlugin {
 public:
  explicit Statistics(Options options) : options_(options) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done() && context.point() != PluginPoint::kEnd) return absl::OkStatus();
    BoundedOutput output(options_.bins);
    if (options_.weights) AddWeights(context.run(), output);
    // Before the first batch there is nothing to look at.
    if (options_.gradients && context.started()) AddGradients(context.run(), output);
    if (options_.activations) AddActivations(context.run(), output);
    context.Report(output.Finish());
    return absl::OkStatus();
  }

 private:
  static void AddWeights(RunView& run, BoundedOutput& output) {
    const NumberArray state = run.Parameters()->State();
    for (const ParameterBlock& block : run.blocks()) {
      const auto measured = output.Measure(block.name, state, block.offset, block.size);
      if (!measured.has_value()) continue;
      output.Add(block.name + ".norm", measured->norm);
      output.Add(block.name + ".mean", measured->mean);
      output.Add(block.name + ".std", measured->deviation);
      output.Add(block.name + ".min", measured->minimum);
      output.Add(block.name + ".max", measured->maximum);
    }
  }

  static void AddGradients(const RunView& run, BoundedOutput& output) {
    const NumberArray gradient = run.Gradient();
    for (const ParameterBlock& block : run.blocks()) {
      const std::string name = "gradient." + block.name;
      const auto measured = output.Measure(name, gradient, block.offset, block.size);
      if (!measured.has_value()) continue;
      output.Add(name + ".norm", measured->norm);
      output.Add(name + ".mean", measured->mean);
      output.Add(name + ".std", measured->deviation);
    }
  }

  static void AddActivations(const RunView& run, BoundedOutput& output) {
    for (const Activations& layer : run.LayerActivations()) {
      const int64_t size = layer.values.shape[0] * layer.values.shape[1];
      const auto measured = output.Measure(layer.layer, layer.values, 0, size);
      if (measured.has_value()) {
        output.Add(layer.layer + ".mean", measured->mean);
        output.Add(layer.layer + ".std", measured->deviation);
      }
      if (layer.can_die) output.Add(layer.layer + ".dead", PartOfZeroColumns(layer.values));
    }
  }

  const Options options_;
};

absl::StatusOr<Options> ReadOptions(const PluginSettings& settings) {
  Options options;
  const absl::StatusOr<std::vector<std::string>> of = ListSetting(settings, "of");
  if (!of.ok()) return of.status();
  for (const std::string& word : *of) {
    options.weights |= word == kWeights;
    options.gradients |= word == kGradients;
    options.activations |= word == kActivations;
    if (word == kWeights || word == kGradients || word == kActivations) continue;
    return PluginSettings::Invalid(
        "of", word, absl::StrCat("Statistics are of weights, gradients or activations; got \"", word, "\"."));
  }
  const absl::StatusOr<bool> histograms = settings.Flag("histograms");
  if (!histograms.ok()) return histograms.status();
  const absl::StatusOr<int64_t> bins = settings.Integer("bins", 1, kMaxHistogramBins);
  if (!bins.ok()) return bins.status();
  if (*histograms) options.bins = *bins;
  return options;
}

}  // namespace

PluginKind StatisticsKind() {
  return {
      .name = "statistics",
      .description = "Reports how weights, gradients and activations are distributed, layer by layer.",
      .settings = {{.name = "of",
                    .description = "what to look at: weights, gradients, activations, with commas between them",
                    .usual = absl::StrCat(kWeights, ",", kGradients, ",", kActivations)},
                   {.name = "histograms", .description = "whether to report histograms too", .usual = "no"},
                   {.name = "bins",
                    .description = absl::StrCat("bins of each histogram, 1 to ", kMaxHistogramBins),
                    .usual = "30"}},
      .usual_schedule = "each(100)",
      .usual_priority = kMeasurePriority,
      .make = [](const PluginSettings& settings, const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
        const absl::StatusOr<Options> options = ReadOptions(settings);
        if (!options.ok()) return options.status();
        return std::make_unique<Statistics>(*options);
      }};
}

}  // namespace pilothouse::trainer
