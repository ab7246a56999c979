#include "tests/support/watcher.h"

#include <utility>

namespace pilothouse::testing {

v1::WatchTrainingRequest FromTheStart(const std::string& run_id) {
  v1::WatchTrainingRequest request = FromNow(run_id);
  request.set_after_sequence(0);
  return request;
}

v1::WatchTrainingRequest FromNow(const std::string& run_id) {
  v1::WatchTrainingRequest request;
  request.set_run_id(run_id);
  for (const v1::EventKind kind : {v1::EVENT_KIND_LOSS, v1::EVENT_KIND_STATUS, v1::EVENT_KIND_CONTROL,
                                   v1::EVENT_KIND_STATE, v1::EVENT_KIND_PLUGIN, v1::EVENT_KIND_CHECKPOINT}) {
    request.add_kinds(kind);
  }
  // Two losses may come closely one after the other, such as the last before a stop.
  request.mutable_min_interval();
  return request;
}

Watcher::Watcher(v1::TrainingControl::Stub& stub, const v1::WatchTrainingRequest& request)
    : thread_([this, &stub, request] { Read(stub, request); }) {}

Watcher::~Watcher() {
  Cancel();
  thread_.join();
}

void Watcher::Read(v1::TrainingControl::Stub& stub, const v1::WatchTrainingRequest& request) {
  auto reader = stub.WatchTraining(&context_, request);
  Message message;
  while (reader->Read(&message)) {
    MutexLock lock(mutex_);
    messages_.push_back(message);
    changed_.NotifyAll();
  }
  grpc::Status end = reader->Finish();
  MutexLock lock(mutex_);
  end_ = std::move(end);
  changed_.NotifyAll();
}

std::optional<Watcher::Message> Watcher::WaitForMessage(const std::function<bool(const Message&)>& wanted,
                                                        std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  size_t seen = 0;
  MutexLock lock(mutex_);
  while (true) {
    for (; seen < messages_.size(); ++seen) {
      if (wanted(messages_[seen])) return messages_[seen];
    }
    if (end_.has_value() || !changed_.WaitUntil(mutex_, deadline)) return std::nullopt;
  }
}

std::optional<v1::Event> Watcher::WaitForEvent(const std::function<bool(const v1::Event&)>& wanted,
                                               std::chrono::seconds patience) {
  std::optional<v1::Event> found;
  const auto holds = [&](const Message& message) {
    for (const v1::Event& event : message.events()) {
      if (!found.has_value() && wanted(event)) found = event;
    }
    return found.has_value();
  };
  WaitForMessage(holds, patience);
  return found;
}

bool Watcher::WaitForIdle(int64_t batch) {
  return WaitForEvent([batch](const v1::Event& event) {
           return event.status().status() == v1::RUN_STATUS_IDLE && event.batch() >= batch;
         })
      .has_value();
}

grpc::Status Watcher::WaitForEnd(std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  MutexLock lock(mutex_);
  while (!end_.has_value()) {
    if (!changed_.WaitUntil(mutex_, deadline)) return {grpc::StatusCode::DEADLINE_EXCEEDED, "the watch did not end"};
  }
  return *end_;
}

std::vector<Watcher::Message> Watcher::messages() const {
  MutexLock lock(mutex_);
  return messages_;
}

std::vector<v1::Event> Watcher::events() const {
  std::vector<v1::Event> events;
  for (const Message& message : messages())
    events.insert(events.end(), message.events().begin(), message.events().end());
  return events;
}

std::vector<v1::Event> Watcher::losses() const {
  std::vector<v1::Event> losses;
  for (const v1::Event& event : events()) {
    if (event.has_loss()) losses.push_back(event);
  }
  return losses;
}

}  // namespace pilothouse::testing
