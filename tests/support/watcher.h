// A watch that collects what it is sent, for tests that wait for something to come.
#ifndef PILOTHOUSE_TESTS_SUPPORT_WATCHER_H_
#define PILOTHOUSE_TESTS_SUPPORT_WATCHER_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "proto/support/mutex.h"

namespace pilothouse::testing {

// A request for everything that happens in a run from its beginning.
v1::WatchTrainingRequest FromTheStart(const std::string& run_id);
// From now on.
v1::WatchTrainingRequest FromNow(const std::string& run_id);

// Thread-safe.
class Watcher {
 public:
  using Message = v1::WatchTrainingResponse;

  // Begins to watch, and reads in a thread of its own.
  Watcher(v1::TrainingControl::Stub& stub, const v1::WatchTrainingRequest& request);
  // Cancels, if it has not ended.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // The first message or event for which `wanted` is true, among those that came and those to come; nullopt if none has
  // come after `patience`, or the watch has ended.
  std::optional<Message> WaitForMessage(const std::function<bool(const Message&)>& wanted,
                                        std::chrono::seconds patience = std::chrono::seconds(60));
  std::optional<v1::Event> WaitForEvent(const std::function<bool(const v1::Event&)>& wanted,
                                        std::chrono::seconds patience = std::chrono::seconds(60));
  // Waits for an IDLE status at or after a batch; false if it does not come.
  bool WaitForIdle(int64_t batch = 0);
  // Waits for the end of the watch, and returns its status.
  grpc::Status WaitForEnd(std::chrono::seconds patience = std::chrono::seconds(60));

  // What has come.
  std::vector<Message> messages() const;
  std::vector<v1::Event> events() const;
  std::vector<v1::Event> losses() const;

  void Cancel() { context_.TryCancel(); }

 private:
  void Read(v1::TrainingControl::Stub& stub, const v1::WatchTrainingRequest& request);

  grpc::ClientContext context_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Message> messages_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_SUPPORT_WATCHER_H_
