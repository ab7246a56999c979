#include "trainer/loop/loop_options.h"

#include <chrono>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

const PluginKinds& KindsOf(const LoopOptions& options) {
  static const PluginKinds* const kNone = new PluginKinds();
  return options.plugin_kinds == nullptr ? *kNone : *options.plugin_kinds;
}

PluginSurroundings SurroundingsOf(const LoopOptions& options, const LearnerFacts& facts) {
  PluginSurroundings surroundings;
  surroundings.run_id = options.run_id;
  surroundings.directory = options.directory;
  surroundings.runs_directory = options.runs_directory;
  surroundings.parameters = facts.parameters;
  surroundings.validation_examples = facts.validation_examples;
  surroundings.seed = options.seed;
  surroundings.optimizer = Name(options.knobs.optimizer);
  for (const KnobFacts& knob : options.knobs.Facts()) surroundings.knobs.push_back(knob.name);
  return surroundings;
}

ScheduledEta ScheduledEtaOf(const LoopOptions& options, const LearnerFacts& facts) {
  return {options.eta_schedule, options.knobs.update.eta, facts.batches_per_epoch};
}

Knobs FirstKnobsOf(const LoopOptions& options, const LearnerFacts& facts) {
  Knobs knobs = options.knobs;
  ScheduledEtaOf(options, facts).Follow(/*batch=*/0, knobs);
  return knobs;
}

absl::Status CheckPlugins(const LoopOptions& options, const LearnerFacts& facts) {
  const RunTimelines beginning({facts.examples, facts.batch_size}, {});
  PluginSurroundings surroundings = SurroundingsOf(options, facts);
  // Only here: whatever a run's journal says was attached has to be attached again when it is gone through, though it
  // may look at what is never there.
  surroundings.scores = facts.scores;
  PluginHost host(KindsOf(options), std::move(surroundings), beginning,
                  [] { return std::chrono::steady_clock::time_point(); });
  for (size_t i = 0; i < options.plugins.size(); ++i) {
    const absl::StatusOr<std::string> attached = host.Attach(options.plugins[i]);
    if (!attached.ok()) return WithFieldPrefix(attached.status(), absl::StrCat("plugins[", i, "]"));
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
