#include "service/watch/watch_reactor.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/mutex.h"
#include "service/journal/journal.h"
#include "service/watch/watch_options.h"
#include "service/watch/watch_session.h"

namespace pilothouse::service {
namespace {

// How soon a page is asked for again that the pool had no room for.
constexpr std::chrono::milliseconds kPageRetry{50};

absl::StatusOr<JournalPage> ReadPage(const std::string& path, uint64_t after, EventKindSet kinds) {
  // A connection for each page: one kept for each watcher that reads history would use up the process's files.
  const auto reader = JournalReader::Open(path);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<JournalPage> page = (*reader)->Read(after, kinds, kMaxEventsPerMessage, kMaxMessageEventBytes);
  if (page.ok() && page->through <= after) {
    return MakeError(
        v1::ERROR_REASON_INTERNAL, "",
        absl::StrCat("The journal ends at sequence ", page->last_sequence, ", before what was published."));
  }
  return page;
}

// Carries a WatchSession over gRPC.
//
// Ownership: the registry holds it from StartWatch until OnDone; hub, ticker and pool hold it while they may call it.
// Locks: mutex_ comes before those of the hub, the ticker and the pool, which are leaves. gRPC runs reactions on
// threads of its own, never within StartWrite or Finish; so these are called with mutex_ held, which makes "at most one
// write, exactly one Finish, nothing after it" hold by construction.
class WatchReactor final : public WatchWriteReactor,
                           public EventHub::Listener,
                           public WatchTicker::Client,
                           public Watch,
                           public std::enable_shared_from_this<WatchReactor> {
 public:
  WatchReactor(WatchSession session, std::shared_ptr<EventHub> hub, std::string journal_path, WatchRegistry& registry,
               WorkPool& pool)
      : hub_(std::move(hub)),
        journal_path_(std::move(journal_path)),
        kinds_(session.kinds()),
        ticker_(registry.ticker()),
        clock_(registry.clock()),
        registry_(registry),
        pool_(pool),
        session_(std::move(session)) {}

  // To be called once, after it was added to the registry.
  void Start() {
    hub_->Subscribe(shared_from_this());
    Pump();
  }

  void OnNews() override {
    if (!wake_queued_.exchange(true)) ticker_->Wake(shared_from_this());
  }

  void OnWake() override {
    // Before the hub is read, so that news that come meanwhile wake it again.
    wake_queued_.store(false);
    Pump();
  }

  void OnTimer() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    timer_.reset();
    PumpLocked();
  }

  void End(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    FinishLocked(ToGrpcStatus(status));
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) FinishLocked(grpc::Status::CANCELLED);
    PumpLocked();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    FinishLocked(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    const std::shared_ptr<WatchReactor> self = shared_from_this();
    hub_->Unsubscribe(this);
    ticker_->CancelTimer(this);
    // The registry and the pool may be gone after this.
    registry_.Remove(self);
  }

 private:
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    PumpLocked();
  }

  // Takes the session's next step, unless a write is under way; whatever ends comes back here. While a page is being
  // read, heartbeats may be written.
  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || writing_) return;
    WatchSession::Step step = session_.Next(clock_(), absl::Now());
    if (auto* write = std::get_if<WatchSession::Write>(&step)) {
      message_ = std::move(write->message);
      writing_ = true;
      StartWrite(&message_);
    } else if (const auto* page = std::get_if<WatchSession::ReadPage>(&step)) {
      SetTimer(page->due);
      if (!reading_page_) StartReadingPage(page->after);
    } else if (const auto* wait = std::get_if<WatchSession::Wait>(&step)) {
      SetTimer(wait->due);
    } else {
      FinishLocked(grpc::Status::OK);
    }
  }

  void StartReadingPage(uint64_t after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    reading_page_ = pool_.Submit([self = shared_from_this(), after] {
      absl::StatusOr<JournalPage> page = ReadPage(self->journal_path_, after, self->kinds_);
      self->OnPage(std::move(page));
    });
    if (!reading_page_) SetTimer(clock_() + kPageRetry);
  }

  void OnPage(absl::StatusOr<JournalPage> page) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    reading_page_ = false;
    if (finished_) return;
    if (!page.ok()) return FinishLocked(ToGrpcStatus(page.status()));
    session_.TakePage(*page);
    PumpLocked();
  }

  // A heartbeat's time only ever moves back while messages are sent: the timer is left to ring early then, and set
  // anew.
  void SetTimer(SteadyTime due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (timer_.has_value() && *timer_ <= due) return;
    timer_ = due;
    ticker_->SetTimer(shared_from_this(), due);
  }

  void FinishLocked(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  // Constant after construction.
  const std::shared_ptr<EventHub> hub_;
  const std::string journal_path_;
  const EventKindSet kinds_;
  const std::shared_ptr<WatchTicker> ticker_;
  const SteadyClock clock_;
  WatchRegistry& registry_;
  WorkPool& pool_;

  std::atomic<bool> wake_queued_{false};
  Mutex mutex_;
  WatchSession session_ ABSL_GUARDED_BY(mutex_);
  // Being written; untouched while writing_.
  v1::WatchTrainingResponse message_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_page_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // When the ticker will call, if it will.
  std::optional<SteadyTime> timer_ ABSL_GUARDED_BY(mutex_);
};

class Refusal final : public WatchWriteReactor {
 public:
  explicit Refusal(const absl::Status& error) { Finish(ToGrpcStatus(error)); }
  void OnDone() override { delete this; }
};

}  // namespace

WatchWriteReactor* StartWatch(const v1::WatchTrainingRequest& request, std::shared_ptr<EventHub> hub,
                              std::string journal_path, WatchRegistry& registry, WorkPool& pool) {
  const absl::StatusOr<WatchOptions> options = ParseWatchRequest(request);
  if (!options.ok()) return RefuseWatch(options.status());
  absl::StatusOr<WatchSession> session = WatchSession::Begin(*options, hub);
  if (!session.ok()) return RefuseWatch(session.status());
  const auto reactor =
      std::make_shared<WatchReactor>(*std::move(session), std::move(hub), std::move(journal_path), registry, pool);
  if (absl::Status status = registry.Add(reactor); !status.ok()) return RefuseWatch(status);
  reactor->Start();
  return reactor.get();
}

WatchWriteReactor* RefuseWatch(const absl::Status& error) { return new Refusal(error); }

}  // namespace pilothouse::service
