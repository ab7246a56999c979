// The kinds of plugins that the trainer program knows: asked once, and known from then on.
#ifndef PILOTHOUSE_SERVICE_RUNS_PLUGIN_KINDS_H_
#define PILOTHOUSE_SERVICE_RUNS_PLUGIN_KINDS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "proto/support/mutex.h"
#include "service/journal/work_pool.h"

namespace pilothouse::service {

// Callers that may wait for the first answer.
inline constexpr size_t kMaxKindsWaiters = 1024;

using KindsCallback = std::function<void(const absl::StatusOr<v1::PluginKindsAnswer>&)>;

// Thread-safe.
class PluginKindsCache {
 public:
  // `ask` blocks until it has the answer; it is called on `pool`, which must be shut down before this is destroyed.
  PluginKindsCache(std::function<absl::StatusOr<v1::PluginKindsAnswer>()> ask, WorkPool& pool);

  // Calls `callback` once: at once if the kinds are known, otherwise when they have been asked for. However many wait,
  // they are asked for once. A failure is told to those who waited, and the next call asks anew. SERVICE_BUSY when too
  // many wait. Never blocks; `callback` must not block either.
  void Get(const KindsCallback& callback) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Finish(const absl::StatusOr<v1::PluginKindsAnswer>& answer) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<absl::StatusOr<v1::PluginKindsAnswer>()> ask_;
  WorkPool& pool_;
  Mutex mutex_;
  std::optional<v1::PluginKindsAnswer> known_ ABSL_GUARDED_BY(mutex_);
  // Not empty: somebody asks.
  std::vector<KindsCallback> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_PLUGIN_KINDS_H_
