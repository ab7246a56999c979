// Test support: a training loop whose plugins are functions of the test.
#ifndef PILOTHOUSE_TRAINER_LOOP_PLUGIN_LOOP_FIXTURE_H_
#define PILOTHOUSE_TRAINER_LOOP_PLUGIN_LOOP_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "trainer/loop/loop_fixture.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

using Function = std::function<absl::Status(PluginContext&)>;

class FunctionPlugin final : public StatelessPlugin {
 public:
  explicit FunctionPlugin(Function function) : function_(std::move(function)) {}
  absl::Status Run(PluginContext& context) override { return function_(context); }

 private:
  Function function_;
};

// A loop whose plugins are functions of the test.
class PluginLoopTest : public LoopTest {
 protected:
  // A kind of this name, which calls `function`; attached from the beginning unless `schedule` is empty.
  void Add(const std::string& name, const std::string& schedule, Function function,
           PluginPoint point = PluginPoint::kAfterBatch) {
    kinds->Register(
        {.name = name,
         .description = "A test's.",
         .usual_point = point,
         .make = [function = std::move(function)](const PluginSettings&, const PluginSurroundings&)
             -> absl::StatusOr<std::unique_ptr<Plugin>> { return std::make_unique<FunctionPlugin>(function); }});
    options.plugin_kinds = kinds;
    if (schedule.empty()) return;
    PluginSpec spec;
    spec.kind = name;
    if (TakesSchedule(point)) spec.schedule = schedule;
    options.plugins.push_back(spec);
  }

  // Notes the batch at which it is called, and "done" for the last call.
  Function Note() {
    return [this](PluginContext& context) {
      calls.push_back(context.done() ? absl::StrCat(context.run().batch(), " done")
                                     : absl::StrCat(context.run().batch()));
      return absl::OkStatus();
    };
  }
  // Does this once, when it is called first.
  static Function Once(std::function<void(PluginContext&)> what) {
    return [what = std::move(what), called = false](PluginContext& context) mutable {
      if (!std::exchange(called, true)) what(context);
      return absl::OkStatus();
    };
  }

  std::vector<std::string> Failures() const {
    std::vector<std::string> failures;
    for (const Report& report : sink.reports) {
      const auto* plugin = std::get_if<PluginReport>(&report.kind);
      if (plugin == nullptr) continue;
      if (const auto* failure = std::get_if<PluginFailure>(&plugin->what)) {
        failures.push_back(absl::StrCat(report.batch, " ", plugin->plugin, ": ", failure->message));
      }
    }
    return failures;
  }
  std::vector<const ControlReport*> Controls() const {
    std::vector<const ControlReport*> controls;
    for (const Report& report : sink.reports) {
      if (const auto* control = std::get_if<ControlReport>(&report.kind)) controls.push_back(control);
    }
    return controls;
  }

  std::shared_ptr<PluginKinds> kinds = std::make_shared<PluginKinds>();
  std::vector<std::string> calls;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_PLUGIN_LOOP_FIXTURE_H_
