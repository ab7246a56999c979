// Everything that happens in a run, one message after the other, across broken connections.
//
//   std::unique_ptr<Watch> watch = client->WatchTraining("digits", {});
//   while (std::optional<WatchItem> item = watch->Next()) {
//     for (const v1::Event& event : item->message.events()) Use(event);
//   }
//   if (!watch->status().ok()) …
//
// A watch whose connection breaks connects again by itself and continues after the last event it has given out: no
// event comes twice, and none is left out but those that a Gap announces.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_WATCH_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_WATCH_H_

#include <grpcpp/client_context.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/support/mutex.h"

namespace pilothouse::client {

struct WatchOptions {
  // Continue after this event; 0: from the beginning. Unset: from now.
  std::optional<uint64_t> after_sequence = std::nullopt;
  // Only these kinds. Empty: all but STATE.
  std::vector<v1::EventKind> kinds = {};
  // Losses reported less than this after the one before are left out. Unset: 50 ms.
  std::optional<absl::Duration> min_interval = std::nullopt;
  // How long a silence is before a heartbeat comes.
  absl::Duration max_interval = absl::Seconds(1);
  // How long to try after the connection has broken.
  absl::Duration give_up_after = absl::InfiniteDuration();
};

// Pauses between attempts to connect grow from the first to the last, doubling.
inline constexpr absl::Duration kFirstWatchPause = absl::Milliseconds(100);
inline constexpr absl::Duration kLastWatchPause = absl::Seconds(5);

struct WatchItem {
  // OK: `message` came. Otherwise the connection broke in this way, and is tried again after `retry_in`.
  absl::Status connection;
  absl::Duration retry_in;
  // Holds a snapshot whenever it is the first of a connection.
  v1::WatchTrainingResponse message;
};

// Next and status belong to one thread; Cancel may be called from any other.
class Watch {
 public:
  // Connects when Next is called first. `address` is complete (see CompleteAddress).
  Watch(const std::string& address, const std::string& run_id, const WatchOptions& options);
  // REQUIRES: no Next is running.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Waits for the next message, or for news of the connection. Nothing: the watch has ended, and status() says why.
  std::optional<WatchItem> Next() ABSL_LOCKS_EXCLUDED(mutex_);

  // OK: the run has ended, and everything of it was given out. CANCELLED: Cancel was called. Otherwise what the service
  // refused, or UNAVAILABLE without a reason: given up.
  const absl::Status& status() const { return status_; }

  // Ends a waiting Next and all later ones.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One attempt: a call and its reader.
  struct Connection {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchTrainingResponse>> reader;
  };

  // False: cancelled.
  bool Connect() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the connection, which gives no more messages, and returns how it ended.
  absl::Status Disconnect() ABSL_LOCKS_EXCLUDED(mutex_);
  // After a broken connection: what to tell, or nothing if the watch ends.
  std::optional<WatchItem> AfterBreak(const absl::Status& cause);
  // Waits out a pause. False: cancelled.
  bool Pause(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves the position past the message's events, and drops those that came before.
  void Advance(v1::WatchTrainingResponse& message);

  const std::unique_ptr<v1::TrainingControl::Stub> stub_;
  const WatchOptions options_;
  v1::WatchTrainingRequest request_;
  absl::Status status_;
  bool ended_ = false;
  absl::BitGen random_;
  absl::Duration pause_ = kFirstWatchPause;
  // The pause that the last item announced; waited out by the next Next.
  absl::Duration due_pause_;
  // Since when there is no connection.
  absl::Time broken_since_ = absl::InfiniteFuture();

  Mutex mutex_;
  CondVar cancel_changed_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // Written by the thread of Next under the mutex, so that Cancel may use it there.
  std::unique_ptr<Connection> connection_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_WATCH_H_
