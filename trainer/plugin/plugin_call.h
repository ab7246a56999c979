// One call into a plugin's code, whatever comes of it.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_CALL_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_CALL_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/plugin/plugin.h"

namespace pilothouse::trainer {

// Of one call. More makes it a failure.
inline constexpr size_t kMaxOutputsPerCall = 16;
inline constexpr size_t kMaxWishesPerCall = 64;

struct PluginCall {
  // Empty after a failure, save that a call which merely took too long keeps both.
  std::vector<PluginOutput> outputs;
  std::vector<Wish> wishes;
  // A sentence. Empty: none.
  std::string failure;
  // It did not do what it was called for, as opposed to merely taking too long over it.
  bool undone = false;
  std::chrono::nanoseconds took{0};
};

// Runs `plugin`. An error, an exception, more than may be reported and a call longer than `allowance` are failures.
PluginCall CallPlugin(Plugin& plugin, PluginContext& context, std::chrono::nanoseconds allowance,
                      const std::function<std::chrono::steady_clock::time_point()>& clock);

// What `call` returns; an INTERNAL error, saying what was thrown, if it throws.
absl::Status Guarded(const std::function<absl::Status()>& call);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_CALL_H_
