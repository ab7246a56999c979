// The one run of this process: built once, trained on a thread of its own, whether or not a service is there.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_HOST_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_HOST_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/channel/outbox.h"
#include "trainer/channel/predict.h"
#include "trainer/channel/query_budget.h"
#include "trainer/channel/run_lock.h"
#include "trainer/channel/task_thread.h"
#include "trainer/channel/unrecorded_reports.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/mailbox.h"
#include "trainer/loop/training_loop.h"

namespace pilothouse::trainer {

struct BuiltRun {
  RunLock lock;
  std::unique_ptr<Learner> learner;
  LoopOptions loop;
  // Of one number of the state vector.
  int64_t bytes_per_parameter = 0;
  // As in RunFacts.
  std::string data_sha256 = "";
};

// Makes the run that a Welcome describes, or says why it cannot be.
using RunBuilder = std::function<absl::StatusOr<BuiltRun>(const v1::Welcome&)>;

// Suspend and outbox() may be used from any thread, the rest from one thread at a time.
class RunHost {
 public:
  explicit RunHost(RunBuilder builder);
  // Leaves the run, if it was started and has not ended, as Suspend does.
  ~RunHost();
  RunHost(const RunHost&) = delete;
  RunHost& operator=(const RunHost&) = delete;

  // Builds the run. Takes as long as reading the data does. Call until it succeeds, once at most after that.
  absl::Status Build(const v1::Welcome& welcome);
  bool built() const { return built_; }
  // Somebody has removed the run's directory.
  bool directory_removed() const { return built() && run_->lock.removed(); }
  // What the service is to know of the run. REQUIRES: built().
  const v1::Prepared& Describe() const { return description_; }
  // Begins to train; does nothing when it was called before. REQUIRES: built().
  void Start();
  // Training ended although the run did not: another trainer may go on from what is recorded.
  bool broken() const { return broken_; }

  // The process is to end, the run is not: training ends soon, after a checkpoint, so that another trainer can go on
  // with it. `why` goes to the log. Does not wait.
  void Suspend(absl::string_view why);
  bool suspending() const { return mailbox_.suspending(); }
  // Training has ended so.
  bool suspended() const { return suspended_; }

  // What the service was not told is kept in the run's directory, and forgotten there; as UnrecordedReports. Nothing
  // happens before the run is built, or when its directory is gone.
  void KeepReports(bool ending);
  void ForgetKeptReports();
  // How the process is about to end, if the run was built.
  void NoteExit(int code) const;

  // What comes from the service. Refusals and answers go to the outbox; no call waits for the training thread.
  void OnControl(const v1::Control& message);
  void OnQuery(v1::Query message);

  Outbox& outbox() { return outbox_; }

 private:
  // A query and the stream it came by, shared by the steps of answering it. Without a ticket it can only be refused.
  struct OpenQuery {
    Outbox::StreamId stream;
    v1::Query query;
    QueryTicket ticket;
  };
  using OpenQueryPtr = std::shared_ptr<const OpenQuery>;

  // The training thread: one loop after the other, if the run is taken back.
  void Train();
  // After a rewind, once it is recorded: what the next loop begins with.
  absl::Status PlanNextLoop();

  // Bytes that the query and its answer take at most.
  int64_t CostOf(const v1::Query& query) const;
  void AskForState(const OpenQueryPtr& open);
  void AnswerState(const OpenQueryPtr& open, const RunSnapshot& snapshot);
  void AskForScores(const OpenQueryPtr& open);
  // On the prediction thread, as are the next two. Checks the inputs, then asks the loop for the parameters.
  void AskForModel(const OpenQueryPtr& open);
  void BeginPrediction(const OpenQueryPtr& open, const RunSnapshot& snapshot);
  // Computes a slice and lets the others have their turn before the next; gives up when nobody waits any more.
  void ContinuePrediction(const OpenQueryPtr& open, const std::shared_ptr<SlicedPrediction>& prediction);
  void AskLoop(const OpenQueryPtr& open, Query query);
  void RefuseQuery(const OpenQueryPtr& open, const absl::Status& error);

  const RunBuilder builder_;
  SystemClock clock_;
  Mailbox mailbox_{clock_};
  Outbox outbox_;
  UnrecordedReports unrecorded_{outbox_};
  QueryBudget budget_;
  std::optional<BuiltRun> run_;
  // As it was built: what comes later is the training thread's.
  v1::Prepared description_;
  // Used on the training thread once it has begun.
  std::optional<TrainingLoop> loop_;
  // Set last, so that whoever sees it may look at the run.
  std::atomic<bool> built_ = false;
  std::atomic<bool> started_ = false;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> suspended_ = false;
  std::thread training_thread_;
  // Last, so that they end before anything their tasks use. Two, so that no state waits for a prediction.
  TaskThread states_;
  TaskThread predictions_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_HOST_H_
