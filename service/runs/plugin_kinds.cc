#include "service/runs/plugin_kinds.h"

#include <utility>

#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_SERVICE_BUSY, "", "The service has too much to do just now; try again shortly.");
}

}  // namespace

PluginKindsCache::PluginKindsCache(std::function<absl::StatusOr<v1::PluginKindsAnswer>()> ask, WorkPool& pool)
    : ask_(std::move(ask)), pool_(pool) {}

void PluginKindsCache::Get(const KindsCallback& callback) {
  bool first = false;
  std::optional<absl::StatusOr<v1::PluginKindsAnswer>> answer;
  {
    MutexLock lock(mutex_);
    if (known_.has_value()) {
      answer = *known_;
    } else if (waiting_.size() >= kMaxKindsWaiters) {
      answer = Busy();
    } else {
      first = waiting_.empty();
      waiting_.push_back(callback);
    }
  }
  if (answer.has_value()) return callback(*answer);
  if (first && !pool_.Submit([this] { Finish(ask_()); })) Finish(Busy());
}

void PluginKindsCache::Finish(const absl::StatusOr<v1::PluginKindsAnswer>& answer) {
  std::vector<KindsCallback> waiting;
  {
    MutexLock lock(mutex_);
    if (answer.ok()) known_ = *answer;
    waiting.swap(waiting_);
  }
  for (const KindsCallback& callback : waiting) callback(answer);
}

}  // namespace pilothouse::service
