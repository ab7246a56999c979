#include "service/watch/event_hub.h"

#include <algorithm>
#include <utility>

namespace pilothouse::service {

EventHub::EventHub(std::string run_id, SteadyClock clock) : run_id_(std::move(run_id)), clock_(std::move(clock)) {
  auto run = std::make_shared<v1::Run>();
  run->set_run_id(run_id_);
  run->set_loss(-1);
  run_ = std::move(run);
}

void EventHub::Publish(std::vector<std::shared_ptr<const v1::Event>> events, const v1::Run& now) {
  auto run = std::make_shared<v1::Run>(now);
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    MutexLock lock(mutex_);
    const SteadyTime published = clock_();
    for (auto& event : events) Append(std::move(event), published);
    SetRunLocked(std::move(run));
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener->OnNews();
}

void EventHub::Append(std::shared_ptr<const v1::Event> event, SteadyTime published) {
  begun_ = true;
  if (event->sequence() <= last_sequence_) return;
  // The ring is without holes; whoever needs what came before reads it from the journal.
  if (event->sequence() != last_sequence_ + 1) ring_.clear(), ring_bytes_ = 0;
  const size_t bytes = event->ByteSizeLong();
  last_sequence_ = event->sequence();
  ring_.push_back({std::move(event), bytes, published});
  ring_bytes_ += bytes;
  while (ring_.size() > kRingEvents || (ring_bytes_ > kRingBytes && ring_.size() > 1)) {
    ring_bytes_ -= ring_.front().bytes;
    ring_.pop_front();
  }
}

void EventHub::SetRun(const v1::Run& now) {
  auto run = std::make_shared<v1::Run>(now);
  MutexLock lock(mutex_);
  SetRunLocked(std::move(run));
}

void EventHub::SetRunLocked(std::shared_ptr<v1::Run> now) {
  if (!begun_) last_sequence_ = now->last_sequence();
  begun_ = true;
  now->set_last_sequence(last_sequence_);
  run_ = std::move(now);
}

void EventHub::Close() {
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener->OnNews();
}

std::shared_ptr<const v1::Run> EventHub::Snapshot() const {
  MutexLock lock(mutex_);
  return run_;
}

EventHub::Slice EventHub::After(uint64_t after, size_t max_events) const {
  MutexLock lock(mutex_);
  if (after + ring_.size() < last_sequence_) max_events = 0;
  return Cut(after, max_events);
}

EventHub::Slice EventHub::RingAfter(uint64_t after) const {
  MutexLock lock(mutex_);
  return Cut(after, kRingEvents);
}

EventHub::Slice EventHub::Cut(uint64_t after, size_t max_events) const {
  Slice slice;
  slice.last_sequence = last_sequence_;
  slice.closed = closed_;
  if (after >= last_sequence_) return slice;
  const uint64_t before_ring = last_sequence_ - ring_.size();
  slice.behind_ring = after < before_ring;
  size_t index = slice.behind_ring ? 0 : after - before_ring;
  if (!ring_.empty()) slice.waiting_since = ring_[index].published;
  const size_t end = index + std::min(ring_.size() - index, max_events);
  slice.events.reserve(end - index);
  for (; index < end; ++index) slice.events.push_back(ring_[index].event);
  return slice;
}

void EventHub::Subscribe(std::shared_ptr<Listener> listener) {
  MutexLock lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void EventHub::Unsubscribe(const Listener* listener) {
  std::shared_ptr<Listener> dropped;  // released after the lock
  MutexLock lock(mutex_);
  const auto it = std::find_if(listeners_.begin(), listeners_.end(),
                               [listener](const auto& held) { return held.get() == listener; });
  if (it == listeners_.end()) return;
  dropped = std::move(*it);
  *it = std::move(listeners_.back());
  listeners_.pop_back();
}

}  // namespace pilothouse::service
