#include "service/watch/watch_ticker.h"

namespace pilothouse::service {

WatchTicker::WatchTicker() : thread_([this] { Run(); }) {}

WatchTicker::~WatchTicker() { Stop(); }

void WatchTicker::Wake(std::shared_ptr<Client> client) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  wakes_.push_back(std::move(client));
  if (wakes_.size() == 1) changed_.NotifyOne();
}

void WatchTicker::SetTimer(const std::shared_ptr<Client>& client, SteadyTime due) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  EraseTimer(client.get());
  due_[client.get()] = due;
  const auto timer = timers_.emplace(TimerKey(due, client.get()), client).first;
  if (timer == timers_.begin()) changed_.NotifyOne();
}

void WatchTicker::CancelTimer(const Client* client) {
  MutexLock lock(mutex_);
  EraseTimer(client);
}

void WatchTicker::EraseTimer(const Client* client) {
  const auto due = due_.find(client);
  if (due == due_.end()) return;
  timers_.erase(TimerKey(due->second, client));
  due_.erase(due);
}

void WatchTicker::Stop() {
  std::deque<std::shared_ptr<Client>> dropped;  // released after the lock
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    dropped.swap(wakes_);
    timers_.clear();
    due_.clear();
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void WatchTicker::Run() {
  for (;;) {
    std::shared_ptr<Client> client;
    bool timer = false;
    if (!Next(client, timer)) return;
    if (client == nullptr) continue;
    timer ? client->OnTimer() : client->OnWake();
  }
}

bool WatchTicker::Next(std::shared_ptr<Client>& client, bool& timer) {
  MutexLock lock(mutex_);
  while (!stopped_) {
    // Timers first: else a flood of news could starve them.
    if (!timers_.empty() && timers_.begin()->first.first <= std::chrono::steady_clock::now()) {
      client = timers_.begin()->second.lock();
      timer = true;
      EraseTimer(timers_.begin()->first.second);
      return true;
    }
    if (!wakes_.empty()) {
      client = std::move(wakes_.front());
      wakes_.pop_front();
      return true;
    }
    if (timers_.empty()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitUntil(mutex_, timers_.begin()->first.first);
    }
  }
  return false;
}

}  // namespace pilothouse::service
