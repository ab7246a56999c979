#include "service/watch/watch_registry.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

absl::Status Stopping() {
  return MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "",
                   "The service is shutting down. Watch again, after the last sequence you have, when it is back.");
}

}  // namespace

WatchRegistry::WatchRegistry(size_t max_watchers, SteadyClock clock)
    : max_watchers_(max_watchers), clock_(std::move(clock)), ticker_(std::make_shared<WatchTicker>()) {}

WatchRegistry::~WatchRegistry() { ticker_->Stop(); }

absl::Status WatchRegistry::Add(std::shared_ptr<Watch> watch) {
  MutexLock lock(mutex_);
  if (stopping_) return Stopping();
  if (watches_.size() >= max_watchers_) {
    return MakeError(v1::ERROR_REASON_TOO_MANY_WATCHERS, "",
                     absl::StrCat("The service already has ", max_watchers_, " watchers, as many as it allows."),
                     {{"limit", absl::StrCat(max_watchers_)}});
  }
  watches_.insert(std::move(watch));
  return absl::OkStatus();
}

void WatchRegistry::Remove(const std::shared_ptr<Watch>& watch) {
  MutexLock lock(mutex_);
  watches_.erase(watch);
  if (watches_.empty()) emptied_.NotifyAll();
}

void WatchRegistry::FinishAll() {
  std::vector<std::shared_ptr<Watch>> watches;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    watches.assign(watches_.begin(), watches_.end());
  }
  for (const auto& watch : watches) watch->End(Stopping());
}

void WatchRegistry::AwaitNone() {
  MutexLock lock(mutex_);
  while (!watches_.empty()) emptied_.Wait(mutex_);
}

size_t WatchRegistry::size() const {
  MutexLock lock(mutex_);
  return watches_.size();
}

}  // namespace pilothouse::service
