// Test support: a plugin of a built-in kind, made from settings and called as the host would.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_FIXTURE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_FIXTURE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

inline absl::StatusOr<std::unique_ptr<Plugin>> MakePlugin(const std::string& kind,
                                                          std::map<std::string, std::string> settings,
                                                          const PluginSurroundings& surroundings) {
  const PluginKinds kinds = BuiltInPluginKinds();
  const absl::StatusOr<const PluginKind*> found = kinds.Find(kind);
  if (!found.ok()) return found.status();
  const absl::StatusOr<PluginSettings> complete = PluginKinds::Complete(**found, std::move(settings));
  if (!complete.ok()) return complete.status();
  return (*found)->make(*complete, surroundings);
}

// What one call gave.
struct Called {
  absl::Status status;
  std::vector<Wish> wishes;
  std::vector<PluginOutput> outputs;
};

inline Called Call(Plugin& plugin, RunView& run, bool done = false) {
  PluginContext context(run, PluginPoint::kAfterBatch, {Timeline::kBatches, run.batch() - 1, run.batch()}, done);
  const absl::Status status = plugin.Run(context);
  return {status, std::move(context.wishes()), std::move(context.outputs())};
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_BUILTIN_FIXTURE_H_
