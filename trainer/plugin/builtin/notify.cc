#include "trainer/plugin/builtin/notify.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainer/plugin/builtin/finite_output.h"
#include "trainer/plugin/builtin/list_setting.h"

namespace pilothouse::trainer {
namespace {

class Notify final : public StatelessPlugin {
 public:
  Notify(std::vector<std::string> names, std::string message)
      : names_(std::move(names)), message_(std::move(message)) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done() && context.point() != PluginPoint::kEnd) return absl::OkStatus();
    PluginOutput output;
    output.message = message_;
    for (const std::string& name : names_) {
      const absl::StatusOr<std::optional<double>> value = context.run().Value(name);
      if (!value.ok()) return value.status();
      if (value->has_value()) AddFinite(output, name, **value);
    }
    context.Report(std::move(output));
    return absl::OkStatus();
  }

 private:
  const std::vector<std::string> names_;
  const std::string message_;
};

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  absl::StatusOr<std::vector<std::string>> names = ListSetting(settings, "values");
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const absl::Status known = CheckViewName(name, "values", surroundings);
    if (!known.ok()) return known;
  }
  return std::make_unique<Notify>(*std::move(names), settings.Text("message"));
}

}  // namespace

PluginKind NotifyKind() {
  return {.name = "notify",
          .description = "Reports values of the run, those that there are, for programs that act on them.",
          .settings = {{.name = "values",
                        .description = "what to report: names of views, with commas between them",
                        .usual = "loss"},
                       {.name = "message", .description = "a text that goes with them"}},
          .usual_schedule = "each(100)",
          .usual_priority = kReportPriority,
          .make = Make};
}

}  // namespace pilothouse::trainer
