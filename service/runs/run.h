// A run as the rest of the service sees it. A run that lives has one thread, on which its RunKeeper works through an
// inbox; a run that has ended has none, and is answered from its journal.
//
// Thread-safe. Callbacks are called once, from the run's thread or from the caller's; they must not block.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "proto/support/mutex.h"
#include "service/runs/pending_controls.h"
#include "service/runs/run_keeper.h"
#include "service/runs/trainer_link.h"
#include "service/watch/event_hub.h"

namespace pilothouse::service {

// Requests of clients that may wait in a run's inbox. What its trainer sends is bounded by reading one message at a
// time.
inline constexpr size_t kMaxInboxRequests = 4096;

class Run : public std::enable_shared_from_this<Run> {
 public:
  // A run that lives, with its keeper. `begin`, if given, is the first thing the run's thread does with it. When the
  // run has ended and its trainer is gone, `on_end` is called on the run's thread, as its last act.
  Run(std::string run_id, RunPlace place, std::shared_ptr<EventHub> hub, std::unique_ptr<RunKeeper> keeper,
      std::function<void(RunKeeper&)> begin, std::function<void(Run&, bool refused)> on_end);
  // A run that has ended: `hub` holds its last state and is closed.
  Run(std::string run_id, RunPlace place, std::shared_ptr<EventHub> hub);
  // Joins the thread. Not from the run's own thread.
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const std::string& run_id() const { return run_id_; }
  const RunPlace& place() const { return place_; }
  const std::shared_ptr<EventHub>& hub() const { return hub_; }
  // The run as it is now.
  v1::Run Now() const { return hub_->Run(); }
  // It has a thread, so controls and queries can be asked.
  bool alive() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Return false, without calling the callback, when the run is not alive. TOO_MANY_CONTROLS when the inbox is full.
  bool AskControl(v1::Control control, const ControlCallback& callback);
  bool AskQuery(std::shared_ptr<const v1::Query> query, const QueryCallback& callback);

  // From the trainer's connection. Ignored when the run is not alive, save that Attach then closes the link.
  void Attach(const std::shared_ptr<TrainerLink>& link, v1::Hello hello);
  void Deliver(const TrainerLink* link, v1::AttachRequest message);
  void Detach(const TrainerLink* link);

  // Kills its trainer for good.
  void End();
  // Lets the trainer go on alone and ends the thread; everybody who waits is told SERVICE_STOPPING. Waits for it.
  void Abandon();

 private:
  using Work = absl::AnyInvocable<void(RunKeeper&, RunKeeper::Time)>;

  void Main(std::unique_ptr<RunKeeper> keeper, const std::function<void(Run&, bool)>& on_end);
  bool abandoned() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next piece of work; null when the keeper's interval has passed first.
  Work Next(std::chrono::milliseconds interval) ABSL_LOCKS_EXCLUDED(mutex_);
  enum class Posted { kYes, kFull, kEnded };
  Posted Post(Work work, bool is_request) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string run_id_;
  const RunPlace place_;
  const std::shared_ptr<EventHub> hub_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool alive_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Work> inbox_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_H_
