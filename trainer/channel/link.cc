#include "trainer/channel/link.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/log.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {
namespace {

// How often the link looks after a living stream.
constexpr std::chrono::milliseconds kLookInterval{100};

// Whether a service that ended a stream so would end the next one likewise.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

// Tells one thread that another has come to its end.
class Notification {
 public:
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    notified_ = true;
    changed_.NotifyAll();
  }

  // Returns whether it was notified by `deadline`.
  bool WaitUntil(std::chrono::steady_clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (!notified_) {
      if (!changed_.WaitUntil(mutex_, deadline)) break;
    }
    return notified_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

Link::Link(LinkOptions options, const TrainerIdentity& identity, RunHost& host)
    : options_(std::move(options)),
      identity_(identity),
      host_(host),
      now_(std::chrono::steady_clock::now()),
      began_(now_),
      last_attached_(now_) {}

LinkEnd Link::Run() {
  const LinkEnd end = Stay();
  if (host_.outbox().AllTaken()) {
    host_.ForgetKeptReports();
  } else {
    host_.KeepReports(/*ending=*/true);
  }
  return end;
}

LinkEnd Link::Stay() {
  auto backoff = options_.first_backoff;
  bool lost = false;
  while (true) {
    const int welcomes = progress_.welcomes;
    const absl::Status status = AttachOnce();
    if (const std::optional<LinkEnd> end = End(status)) return *end;
    const bool was_attached = progress_.welcomes > welcomes;
    // One line for each break, not for each attempt to mend it.
    if (was_attached || !lost) Log(absl::StrCat("detached: ", status.ToString()));
    lost = true;
    if (was_attached) backoff = options_.first_backoff;
    std::this_thread::sleep_for(backoff);
    backoff = std::min(2 * backoff, options_.last_backoff);
  }
}

absl::Status Link::AttachOnce() {
  Attachment attachment(options_.service, identity_, host_, progress_);
  Notification ended;
  absl::Status status;
  std::thread stream([&] {
    status = attachment.Run();
    ended.Notify();
  });
  do {
    Look();
    if (BreakOffTime().value_or(Time::max()) <= now_) attachment.BreakOff();
  } while (!ended.WaitUntil(now_ + kLookInterval));
  stream.join();
  Look();
  return status;
}

void Link::Look() {
  now_ = std::chrono::steady_clock::now();
  if (progress_.attached) last_attached_ = now_;
  if (progress_.refused && !refused_since_.has_value()) refused_since_ = now_;
  if (!ended_since_.has_value() && (host_.outbox().LastReportAdded() || host_.suspended())) {
    ended_since_ = now_;
    // Whoever told the process to end may not wait for the service to take them.
    if (host_.suspended()) host_.KeepReports(/*ending=*/true);
  }
  host_.KeepReports(/*ending=*/false);
  if (orphaned_ || now_ - last_attached_ < options_.orphan_timeout) return;
  orphaned_ = true;
  host_.Suspend(absl::StrCat("No service came back within ",
                             absl::FormatDuration(absl::FromChrono(options_.orphan_timeout)), "."));
}

std::optional<Link::Time> Link::BreakOffTime() const {
  if (host_.suspending() && !progress_.started) return now_;
  if (progress_.welcomes == 0) return began_ + options_.first_patience;
  if (host_.broken()) return now_;
  // What is left then stays in the run's directory.
  if (host_.suspended() && (!progress_.attached || host_.outbox().AllTaken())) return now_;
  if (refused_since_.has_value()) return *refused_since_ + options_.refusal_patience;
  if (ended_since_.has_value()) return *ended_since_ + options_.last_patience;
  return std::nullopt;
}

std::optional<LinkEnd> Link::End(const absl::Status& status) const {
  // Nothing was begun.
  if (host_.suspending() && !progress_.started && !progress_.refused) return LinkEnd::kSuspended;
  if (progress_.welcomes == 0) {
    if (!IsFinal(status) && now_ - began_ < options_.first_patience) return std::nullopt;
    Log(absl::StrCat("no service takes this trainer: ", status.ToString()));
    return LinkEnd::kNoService;
  }
  if (progress_.refused) {
    const bool patient = now_ - *refused_since_ < options_.last_patience && !orphaned_;
    if (!progress_.refusal_told && patient && !IsFinal(status)) return std::nullopt;
    return LinkEnd::kSpecRefused;
  }
  if (!progress_.started) return orphaned_ ? std::optional(LinkEnd::kNoService) : std::nullopt;
  if (host_.outbox().LastReportTaken()) return LinkEnd::kStopped;
  if (host_.broken()) return LinkEnd::kBroken;
  if (host_.suspended()) return LinkEnd::kSuspended;
  if (host_.directory_removed()) {
    Log("the run's directory was removed, and there is no service to go on for");
    return LinkEnd::kRemoved;
  }
  if (!ended_since_.has_value()) return std::nullopt;
  if (!IsFinal(status) && now_ - *ended_since_ < options_.last_patience) return std::nullopt;
  Log(absl::StrCat("the last reports were not taken: ", status.ToString()));
  return LinkEnd::kStopped;
}

}  // namespace pilothouse::trainer
