#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/run_view.h"
#include "clients/cpp/pilot/terminal.h"
#include "clients/cpp/pilot/text.h"
#include "clients/cpp/pilot/watch_output.h"
#include "proto/support/mutex.h"

namespace pilothouse::client {
namespace {

// When so many wait to be shown, no more are taken, and the service thins what it sends.
constexpr size_t kMaxWaitingItems = 64;
constexpr auto kTick = std::chrono::milliseconds(100);

// Takes items of a watch in a thread of its own, so that the screen lives on while nothing comes.
class WatchReader {
 public:
  explicit WatchReader(std::unique_ptr<Watch> watch) : watch_(std::move(watch)), thread_([this] { Read(); }) {}

  ~WatchReader() {
    watch_->Cancel();
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }

  WatchReader(const WatchReader&) = delete;
  WatchReader& operator=(const WatchReader&) = delete;

  // Waits for a tick at most.
  std::optional<WatchItem> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto deadline = std::chrono::steady_clock::now() + kTick;
    MutexLock lock(mutex_);
    while (items_.empty() && !ended_) {
      if (!changed_.WaitUntil(mutex_, deadline)) break;
    }
    if (items_.empty()) return std::nullopt;
    WatchItem item = std::move(items_.front());
    items_.pop_front();
    changed_.NotifyAll();
    return item;
  }

  // How the watch ended, once all its items were taken.
  std::optional<absl::Status> Ended() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!ended_ || !items_.empty()) return std::nullopt;
    return watch_->status();
  }

 private:
  void Read() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (std::optional<WatchItem> item = watch_->Next()) {
      MutexLock lock(mutex_);
      while (items_.size() >= kMaxWaitingItems && !cancelled_) changed_.Wait(mutex_);
      if (cancelled_) return;
      items_.push_back(*std::move(item));
      changed_.NotifyAll();
    }
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }

  const std::unique_ptr<Watch> watch_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<WatchItem> items_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // Last, so that everything it uses is there before it begins.
  std::thread thread_;
};

std::unique_ptr<WatchOutput> NewOutput(const Session& session, bool panel) {
  if (session.json()) return NewJsonOutput();
  return panel ? NewPanelOutput() : NewLineOutput();
}

int AfterEnd(const Session& session, const std::string& run_id, const absl::Status& status) {
  if (!status.ok()) return session.Fail(status);
  // Asked, not taken from the events: a watch of losses alone has not heard how the run ended.
  const absl::StatusOr<v1::GetStateResponse> state = session.client().GetState(run_id, false);
  if (!state.ok()) return session.Fail(state.status());
  const v1::Run& run = state->run();
  if (run.status() != v1::RUN_STATUS_FAILED) return kExitSuccess;
  return PrintError(absl::AbortedError(absl::StrCat("run ", run.run_id(), " FAILED: ", run.status_message())),
                    kExitRunFailed, session.json());
}

int AfterInterrupt(const Session& session, const std::string& run_id) {
  if (!session.json()) {
    std::fprintf(stderr, "The run goes on. Watch it again with: pilot watch %s\n", Printable(run_id).c_str());
  }
  return kExitInterrupted;
}

// Events do not tell which knobs an earlier batch had. The run is idle there and answers at once; if not, what is shown
// stays as it was.
void RefreshKnobs(const Session& session, RunView& view) {
  const absl::StatusOr<v1::GetStateResponse> state = session.client().GetState(view.run_id(), false);
  view.SetKnobs(state.ok() ? state->run() : view.run());
}

}  // namespace

int WatchRun(const Session& session, const v1::Run& run, const WatchArguments& arguments) {
  const bool panel = !session.json() && CanDraw();
  SignalNotes signals;
  WatchReader reader(session.client().WatchTraining(run.run_id(), BuildWatchOptions(arguments, run, panel)));
  const std::unique_ptr<WatchOutput> output = NewOutput(session, panel);
  RunView view;
  while (true) {
    const std::optional<WatchItem> item = reader.Take();
    const absl::Time now = absl::Now();
    if (item.has_value()) {
      view.Apply(*item, now);
      if (panel && view.wants_knobs()) RefreshKnobs(session, view);
      output->Show(*item, view);
    }
    output->Tick(view, now, signals.TakeSuspendAsked());
    const std::optional<absl::Status> ended = reader.Ended();
    if (ended.has_value() || signals.EndAsked() != 0) {
      output->Finish(view, now);
      return ended.has_value() ? AfterEnd(session, run.run_id(), *ended) : AfterInterrupt(session, run.run_id());
    }
  }
}

int RunWatch(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  return WatchRun(session, *run, arguments.watch);
}

}  // namespace pilothouse::client
