#include "service/runs/run.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

absl::Status InboxFull() {
  return MakeError(
      v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
      absl::StrCat("This run has ", kMaxInboxRequests, " requests waiting, and takes no more; try again shortly."),
      {{"limit", absl::StrCat(kMaxInboxRequests)}});
}

}  // namespace

Run::Run(std::string run_id, RunPlace place, std::shared_ptr<EventHub> hub, std::unique_ptr<RunKeeper> keeper,
         std::function<void(RunKeeper&)> begin, std::function<void(Run&, bool)> on_end)
    : run_id_(std::move(run_id)), place_(std::move(place)), hub_(std::move(hub)), alive_(true) {
  thread_ =
      std::thread([this, keeper = std::move(keeper), begin = std::move(begin), on_end = std::move(on_end)]() mutable {
        if (begin) begin(*keeper);
        Main(std::move(keeper), on_end);
      });
}

Run::Run(std::string run_id, RunPlace place, std::shared_ptr<EventHub> hub)
    : run_id_(std::move(run_id)), place_(std::move(place)), hub_(std::move(hub)) {}

Run::~Run() { Abandon(); }

bool Run::alive() const {
  MutexLock lock(mutex_);
  return alive_;
}

void Run::Main(std::unique_ptr<RunKeeper> keeper, const std::function<void(Run&, bool)>& on_end) {
  auto last_tick = std::chrono::steady_clock::now();
  while (true) {
    Work work = Next(keeper->interval());
    if (!work && abandoned()) break;
    const auto now = std::chrono::steady_clock::now();
    if (work) work(*keeper, now);
    if (!work || now - last_tick >= keeper->interval()) {
      keeper->OnTick(now);
      last_tick = now;
    }
    if (keeper->done()) break;
  }
  std::deque<Work> left;
  {
    MutexLock lock(mutex_);
    alive_ = false;
    left.swap(inbox_);
  }
  // Whoever asked just before the end gets the keeper's last word.
  for (Work& work : left) work(*keeper, std::chrono::steady_clock::now());
  // What they hold on to may be the last reference to this run but one, and `on_end` gives that one away: it must not
  // go on this thread, which could not join itself.
  left.clear();
  keeper->Abandon();
  const bool ended = keeper->done();
  const bool refused = keeper->refused();
  absl::AnyInvocable<void()> tell_refusal = keeper->TakeRefusal();
  keeper.reset();
  if (ended) on_end(*this, refused);
  tell_refusal();
}

bool Run::abandoned() const {
  MutexLock lock(mutex_);
  return abandoned_;
}

Run::Work Run::Next(std::chrono::milliseconds interval) {
  const auto deadline = std::chrono::steady_clock::now() + interval;
  MutexLock lock(mutex_);
  while (inbox_.empty() && !abandoned_) {
    if (!changed_.WaitUntil(mutex_, deadline)) return nullptr;
  }
  if (abandoned_) return nullptr;
  Work work = std::move(inbox_.front());
  inbox_.pop_front();
  return work;
}

Run::Posted Run::Post(Work work, bool is_request) {
  MutexLock lock(mutex_);
  if (!alive_) return Posted::kEnded;
  if (is_request && inbox_.size() >= kMaxInboxRequests) return Posted::kFull;
  inbox_.push_back(std::move(work));
  changed_.NotifyOne();
  return Posted::kYes;
}

bool Run::AskControl(v1::Control control, const ControlCallback& callback) {
  const Posted posted = Post([control = std::move(control), callback](
                                 RunKeeper& keeper, RunKeeper::Time) { keeper.OnControl(control, callback); },
                             /*is_request=*/true);
  if (posted == Posted::kFull) callback(InboxFull());
  return posted != Posted::kEnded;
}

bool Run::AskQuery(std::shared_ptr<const v1::Query> query, const QueryCallback& callback) {
  const Posted posted = Post(
      [query = std::move(query), callback](RunKeeper& keeper, RunKeeper::Time) { keeper.OnQuery(*query, callback); },
      /*is_request=*/true);
  if (posted == Posted::kFull) callback(InboxFull());
  return posted != Posted::kEnded;
}

void Run::Attach(const std::shared_ptr<TrainerLink>& link, v1::Hello hello) {
  const Posted posted = Post(
      [link, hello = std::move(hello)](RunKeeper& keeper, RunKeeper::Time now) { keeper.OnAttach(link, hello, now); },
      /*is_request=*/false);
  if (posted == Posted::kEnded) link->Close(absl::PermissionDeniedError("This run has ended."));
}

void Run::Deliver(const TrainerLink* link, v1::AttachRequest message) {
  Post([link, message = std::move(message)](
           RunKeeper& keeper, RunKeeper::Time now) mutable { keeper.OnMessage(link, std::move(message), now); },
       /*is_request=*/false);
}

void Run::Detach(const TrainerLink* link) {
  Post([link](RunKeeper& keeper, RunKeeper::Time now) { keeper.OnDetach(link, now); }, /*is_request=*/false);
}

void Run::End() {
  Post([](RunKeeper& keeper, RunKeeper::Time) { keeper.End(); }, /*is_request=*/false);
}

void Run::Abandon() {
  {
    MutexLock lock(mutex_);
    abandoned_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace pilothouse::service
