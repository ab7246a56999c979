#include "trainer/plugin/builtin/save_best.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/metric.h"
#include "trainer/plugin/builtin/progress.h"
#include "trainer/plugin/builtin/saved_folder.h"
#include "trainer/plugin/point.h"

namespace pilothouse::trainer {
namespace {

class SaveBest final : public Plugin {
 public:
  SaveBest(Metric metric, GainRules rules, std::string file)
      : metric_(std::move(metric)), progress_(rules), file_(std::move(file)) {}

  absl::Status Run(PluginContext& context) override {
    // When the run is done, too: it may have been validated once more.
    const absl::StatusOr<std::optional<Reading>> reading = metric_.Look(context.run());
    if (!reading.ok()) return reading.status();
    if (!reading->has_value() || !progress_.Improves((*reading)->value)) return absl::OkStatus();
    // It becomes the best only once it is saved: after a failure, the next gain on what is in the file counts.
    const absl::Status saved = SaveInFolder(context.run(), *context.run().Parameters(), file_);
    if (!saved.ok()) return saved;
    progress_.Look((*reading)->value, (*reading)->batch);
    PluginOutput output;
    output.values.emplace_back(metric_.name(), (*reading)->value);
    output.message = absl::StrCat("saved ", SavedFile(file_));
    context.Report(std::move(output));
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    metric_.Save(memory);
    progress_.Save(memory);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    metric_.Restore(memory);
    progress_.Restore(memory);
    return memory.Finish();
  }

 private:
  Metric metric_;
  Progress progress_;
  const std::string file_;
};

std::vector<PluginSettingFacts> Settings() {
  std::vector<PluginSettingFacts> settings = MetricSettings();
  settings.push_back({.name = "file",
                      .description = "the file's name, in the folder saved/ of the run's directory",
                      .usual = "best.safetensors"});
  return settings;
}

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  absl::StatusOr<Metric> metric = Metric::From(settings, surroundings);
  if (!metric.ok()) return metric.status();
  const absl::StatusOr<double> gain = settings.Number("min_gain", 0, std::numeric_limits<double>::max());
  if (!gain.ok()) return gain.status();
  absl::StatusOr<std::string> file = settings.FileName("file");
  if (!file.ok()) return file.status();
  const GainRules rules{metric->maximise(), *gain, 0};
  return std::make_unique<SaveBest>(*std::move(metric), rules, *std::move(file));
}

}  // namespace

PluginKind SaveBestKind() {
  return {.name = "save-best",
          .description = "Saves the parameters whenever a metric is better than ever; of equals, the first stay.",
          .settings = Settings(),
          .usual_schedule = "always",
          .usual_point = PluginPoint::kAfterValidation,
          .usual_timing = MetricTiming,
          .usual_priority = kSavePriority,
          .acts_at_end = false,
          .file_setting = "file",
          .make = Make};
}

}  // namespace pilothouse::trainer
