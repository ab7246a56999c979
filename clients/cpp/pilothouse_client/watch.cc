#include "clients/cpp/pilothouse_client/watch.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilothouse_client/channel.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"

namespace pilothouse::client {
namespace {

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(duration));
}

v1::WatchTrainingRequest ToRequest(const std::string& run_id, const WatchOptions& options) {
  v1::WatchTrainingRequest request;
  request.set_run_id(run_id);
  if (options.after_sequence.has_value()) request.set_after_sequence(*options.after_sequence);
  for (const v1::EventKind kind : options.kinds) request.add_kinds(kind);
  if (options.min_interval.has_value()) *request.mutable_min_interval() = ToProto(*options.min_interval);
  *request.mutable_max_interval() = ToProto(options.max_interval);
  return request;
}

// Whether connecting again may help: the service is away, or the transport broke in one of its many ways.
bool IsBreak(const absl::Status& status) {
  if (ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) return absl::IsUnavailable(status);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

}  // namespace

Watch::Watch(const std::string& address, const std::string& run_id, const WatchOptions& options)
    : stub_(v1::TrainingControl::NewStub(NewWatchChannel(address, options.max_interval))),
      options_(options),
      request_(ToRequest(run_id, options)) {}

Watch::~Watch() {
  if (connection_ == nullptr) return;
  connection_->context.TryCancel();
  connection_->reader->Finish();
}

std::optional<WatchItem> Watch::Next() {
  while (!ended_) {
    if (connection_ == nullptr && !(Pause(std::exchange(due_pause_, absl::ZeroDuration())) && Connect())) {
      status_ = absl::CancelledError("the watch was cancelled.");
      break;
    }
    WatchItem item;
    if (connection_->reader->Read(&item.message)) {
      pause_ = kFirstWatchPause;
      broken_since_ = absl::InfiniteFuture();
      Advance(item.message);
      return item;
    }
    const absl::Status cause = Disconnect();
    if (cause.ok()) break;
    if (cancelled()) {
      status_ = absl::CancelledError("the watch was cancelled.");
      break;
    }
    if (std::optional<WatchItem> news = AfterBreak(cause); news.has_value()) return news;
    break;
  }
  ended_ = true;
  return std::nullopt;
}

bool Watch::Connect() {
  auto connection = std::make_unique<Connection>();
  connection->reader = stub_->WatchTraining(&connection->context, request_);
  MutexLock lock(mutex_);
  connection_ = std::move(connection);
  if (cancelled_) connection_->context.TryCancel();
  return !cancelled_;
}

absl::Status Watch::Disconnect() {
  const absl::Status status = FromGrpcStatus(connection_->reader->Finish());
  MutexLock lock(mutex_);
  connection_.reset();
  return status;
}

std::optional<WatchItem> Watch::AfterBreak(const absl::Status& cause) {
  if (!IsBreak(cause)) {
    status_ = cause;
    return std::nullopt;
  }
  const absl::Time now = absl::Now();
  broken_since_ = std::min(broken_since_, now);
  if (now - broken_since_ >= options_.give_up_after) {
    status_ = absl::UnavailableError(absl::StrCat("gave up after ", absl::FormatDuration(options_.give_up_after),
                                                  " without a connection (", std::string(cause.message()), ")."));
    return std::nullopt;
  }
  // Spread, so that the watchers of a service that restarts do not all come back at the same moment.
  due_pause_ = pause_ * absl::Uniform(random_, 0.8, 1.2);
  pause_ = std::min(2 * pause_, kLastWatchPause);
  WatchItem item;
  item.connection = cause;
  item.retry_in = due_pause_;
  return item;
}

bool Watch::Pause(absl::Duration duration) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(duration);
  MutexLock lock(mutex_);
  while (!cancelled_ && cancel_changed_.WaitUntil(mutex_, deadline)) {
  }
  return !cancelled_;
}

bool Watch::cancelled() {
  MutexLock lock(mutex_);
  return cancelled_;
}

void Watch::Advance(v1::WatchTrainingResponse& message) {
  // A watch from now on has its position from the first snapshot.
  if (message.has_snapshot() && !request_.has_after_sequence()) {
    request_.set_after_sequence(message.snapshot().last_sequence());
  }
  uint64_t position = request_.after_sequence();
  auto& events = *message.mutable_events();
  const auto is_old = [&position](const v1::Event& event) {
    if (event.sequence() <= position) return true;
    position = event.sequence();
    return false;
  };
  events.erase(std::remove_if(events.begin(), events.end(), is_old), events.end());
  request_.set_after_sequence(position);
}

void Watch::Cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (connection_ != nullptr) connection_->context.TryCancel();
  cancel_changed_.NotifyAll();
}

}  // namespace pilothouse::client
