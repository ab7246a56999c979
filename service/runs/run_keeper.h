// What happens to one run, in the order in which it happens. All logic of a run is here, on one thread.
//
//   control:  Ask → (journal: known?) → trainer → ControlReport → journal → receipt, watchers
//   event:    Report → sequence → journal → watchers, ReportsTaken
//
// Nothing is published or answered before it is in the journal.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/journal/journal.h"
#include "service/runs/control_desk.h"
#include "service/runs/data_wait.h"
#include "service/runs/death_notice.h"
#include "service/runs/pending_controls.h"
#include "service/runs/restart_policy.h"
#include "service/runs/run_place.h"
#include "service/runs/run_record.h"
#include "service/runs/trainer_link.h"
#include "service/runs/trainer_process.h"
#include "service/watch/event_hub.h"

namespace pilothouse::service {

// Longest wait for a new trainer's Hello, and for a trainer to exit after its run has ended. Then it is killed.
inline constexpr std::chrono::seconds kTrainerPatience{30};
// A trainer whose connection broke has so long to come back or to be found dead before the run is shown as LOST.
inline constexpr std::chrono::milliseconds kLostAfter{500};
// Between two looks for data that are not there.
inline constexpr std::chrono::seconds kDataInterval{5};
// How often a run looks after its trainer: while something is about to happen, and otherwise.
inline constexpr std::chrono::milliseconds kBusyInterval{10};
inline constexpr std::chrono::milliseconds kCalmInterval{1000};
// Lines of a failed trainer's log that the run's status message quotes.
inline constexpr int kQuotedLogLines = 5;

using StartCallback = std::function<void(absl::StatusOr<v1::Run>)>;

// What a keeper begins with.
struct KeptRun {
  RunPlace place;
  // Complete, with all values of its initial state.
  v1::RunSpec spec;
  std::unique_ptr<Journal> journal;
  // As the journal says.
  v1::Run run;
  // What the first trainer of a fork is told besides: `fork` and `data_sha256`.
  v1::Welcome beginning = {};
  int max_restarts = kMaxRestarts;
};

// Used by one thread. `now` is passed in, so that tests need no clock.
class RunKeeper {
 public:
  using Time = std::chrono::steady_clock::time_point;

  RunKeeper(KeptRun kept, std::shared_ptr<EventHub> hub);
  ~RunKeeper();
  RunKeeper(const RunKeeper&) = delete;
  RunKeeper& operator=(const RunKeeper&) = delete;

  // Starts the trainer of a new run, which trains up to run().target. `started` is called once the run is TRAINING or
  // IDLE. If it never gets there, the run is refused(): it is to be forgotten first, and TakeRefusal called then, so
  // that its name is free when the client learns of the error.
  void Launch(StartCallback started, Time now);
  // For a run that a former service left alive: LOST until its trainer returns, or, if that has died, another one has
  // brought the run back to where it was.
  void AwaitReturn(Time now);

  void OnAttach(std::shared_ptr<TrainerLink> link, const v1::Hello& hello, Time now);
  // Messages and ends of a link that is no longer the run's are ignored.
  void OnMessage(const TrainerLink* link, v1::AttachRequest message, Time now);
  void OnDetach(const TrainerLink* link, Time now);
  void OnControl(const v1::Control& control, const ControlCallback& callback);
  void OnQuery(const v1::Query& query, const QueryCallback& callback);
  // Looks after the trainer. To be called every interval().
  void OnTick(Time now);
  std::chrono::milliseconds interval() const;

  // Kills the trainer. That of a run that had started is started again.
  void Kill();
  // Kills the trainer for good: the run ends.
  void End();
  // Answers everybody who waits, and lets the trainer go on alone: the service is going away.
  void Abandon();

  // The run has ended, all is journaled and the trainer's process is gone.
  bool done() const { return ended() && !process_.is_child(); }
  bool ended() const;
  bool refused() const { return !refusal_.ok(); }
  // Tells whoever started the run why it was refused; does nothing if it was not.
  absl::AnyInvocable<void()> TakeRefusal();
  const v1::Run& run() const { return record_.run(); }

 private:
  void OnPrepared(const v1::Prepared& prepared);
  void OnSpecRefused(const absl::Status& error);
  void OnAnswer(v1::Answer answer);
  void OnReports(const v1::Reports& reports);
  void OnHeartbeat(const v1::TrainerHeartbeat& heartbeat);
  // Asks a trainer that has come back what became of its run.
  void AskHowItIs();
  // Of a trainer that is ahead of a journal which has lost its end.
  void AskForCheckpoint();
  void OnReturned(absl::StatusOr<v1::Answer> answer);

  // Journals and publishes what the trainer reported, or says of the run's status itself, and tells whoever waits.
  void CommitReports();
  // While reports wait for a journal that cannot be written, the run's status message says so to whoever asks.
  void ShowBlocked();
  void HideBlocked();
  void Declare(v1::RunStatus status, const std::string& message);
  // The same, where a former service may have said exactly that, and nothing have happened since: then no second event
  // says it.
  void DeclareAnew(v1::RunStatus status, const std::string& message);
  void AfterCommit(const RunRecord::Events& events);
  void OnCommitted(const v1::Event& event);
  void FinishStart(absl::StatusOr<v1::Run> outcome);
  void CloseIfEnded();
  // Why the trainer cannot be asked just now; OK if it can.
  absl::Status Reachable() const;
  // Of a run that has been on its way to where it was taken back for a while: its trainer answers when it is there.
  absl::Status GoingBack() const;
  void WatchOverLostTrainer(Time now);
  // Journals what a trainer that is gone had to report when no service was there. False if it has to be tried again.
  bool TakeLeftReports();
  // The trainer is gone, and its last reports have not come: what it left behind says what they were, and how the run
  // ended.
  void OnTrainerGone(const TrainerProcess::End& end, Time now);
  // It left nothing behind, so it died: it is started again soon, or the run has failed. `how` is as in
  // TrainerProcess::End.
  void OnDeath(const std::string& how, Time now);
  void StartAgain(Time now);
  // No trainer is started before its data are there: says so, and looks for them again a little later.
  void WaitForData(Time now);
  bool waits_for_data() const;
  // Ends a run that waits for its data, as its trainer would have.
  void StopWithoutTrainer(const v1::Control& control);
  void Fail(const Death& death);
  // Adds to what is said of the run what was lost before this service began: it is not to go by unseen.
  void NoteLoss(const std::string& loss);
  // Whether the journal ends with an event that says this of the run's status.
  bool IsNewestEvent(v1::RunStatus status, const std::string& message) const;
  // `message`, and behind it what it does not say yet.
  std::string WithLosses(std::string message) const;
  void ShowLosses();
  // The policy's count, for whoever looks at the run.
  void ShowRestarts();

  RunPlace place_;
  v1::RunSpec spec_;
  const v1::Welcome beginning_;
  RunRecord record_;
  StartCallback started_;
  absl::Status refusal_;

  TrainerProcess process_;
  std::shared_ptr<TrainerLink> link_;
  // The trainer said Prepared, in this connection or an earlier one.
  bool prepared_ = false;
  // It had said so before this connection: it is no new process, and has trained.
  bool returned_ = false;
  // Reports up to this number were made before the trainer attached; until they are journaled no control is forwarded.
  uint64_t backlog_through_ = 0;
  // Since when there has been no connection (or, after the end, since when the process is expected to go).
  Time waiting_since_;
  bool asks_how_it_is_ = false;
  // The run was taken back, and is not yet there.
  bool goes_back_ = false;
  // How far it has come, if that takes so long that its trainer says so.
  std::optional<int64_t> gone_back_to_;

  RestartPolicy restarts_;
  DataWait data_;
  // When a trainer that died is to be started again.
  std::optional<Time> restart_at_;
  // It was started again, and the run is not yet back where it was.
  bool resuming_ = false;
  // Why a trainer that was started again refused to go on, where its end is to show what to make of that.
  absl::Status resume_refusal_;
  // Sentences: what of the journal, or of what a trainer left, could not be read.
  std::vector<std::string> losses_;
  bool wants_checkpoint_ = false;
  // The run is to end, whatever its trainer does.
  bool ending_ = false;
  // What was quoted of the trainer's log last.
  std::string quoted_log_;
  // What the run's status message was before it said that nothing can be recorded.
  std::optional<std::string> unblocked_message_;
  // The newest message that was declared.
  std::string declared_;

  ControlDesk desk_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_H_
