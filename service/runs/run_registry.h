// All runs of a service: starting them, finding them, finding them again after a restart.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_REGISTRY_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_REGISTRY_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/support/mutex.h"
#include "service/journal/journal.h"
#include "service/journal/work_pool.h"
#include "service/runs/dataset_store.h"
#include "service/runs/plugin_kinds.h"
#include "service/runs/run.h"
#include "service/runs/run_store.h"

namespace pilothouse::service {

// Runs with a trainer of their own at once.
inline constexpr size_t kMaxLiveRuns = 256;
// Questions for the scores of saved parameters that are answered at once, and that wait.
inline constexpr int kScoresThreads = 1;
inline constexpr size_t kMaxWaitingScores = 8;
inline constexpr absl::Duration kOrphanTimeout = absl::Hours(24);

struct RegistryOptions {
  // Absolute path of the service's data directory; runs live in <data>/runs/<run_id>/.
  std::string data_directory;
  // Absolute path of the program pilothouse-trainer.
  std::string trainer_program;
  // What trainers dial, as gRPC writes it ("unix:/…").
  std::string trainer_address;
  size_t max_live_runs = kMaxLiveRuns;
  // How long a trainer goes on without any service before it makes a checkpoint and ends.
  absl::Duration orphan_timeout = kOrphanTimeout;
  // Whether an acknowledged control survives a crash of the machine, or of the service only.
  JournalSync journal_sync = JournalSync::kFull;
  // How often in a row a trainer that died is started again without its run having come further.
  int max_restarts = kMaxRestarts;
};

// Thread-safe. Callbacks as in Run.
class RunRegistry {
 public:
  // Finds the runs of former services: those that had not ended wait for their trainers as LOST. `datasets` and `pool`
  // must outlive the registry.
  static absl::StatusOr<std::unique_ptr<RunRegistry>> Open(RegistryOptions options, const DatasetStore& datasets,
                                                           WorkPool& pool, WorkPool& saved_pool);
  ~RunRegistry();
  RunRegistry(const RunRegistry&) = delete;
  RunRegistry& operator=(const RunRegistry&) = delete;

  // Errors: of DataSpec's fields, RUN_ALREADY_EXISTS, TOO_MANY_RUNS, REQUEST_ID_REUSED, SERVICE_STOPPING, and whatever
  // the trainer finds wrong. May block on the disk for a moment.
  void Start(const v1::StartRunRequest& request, const StartCallback& callback);
  // The same for a run that was thought out already. An empty run_id: a name is made up.
  void Start(RunToStart run, const StartCallback& callback);
  // Whether an earlier request had this id; then it is answered as it was, or REQUEST_ID_REUSED if that request was
  // another. `run` need not be complete. May block on the disk for a moment.
  bool AnswerIfRepeated(const RunToStart& run, const StartCallback& callback);

  // RUN_NOT_FOUND, blaming "run_id".
  absl::StatusOr<std::shared_ptr<Run>> Find(const std::string& run_id) const;

  // Answered by the run's trainer, or from its journal and saved parameters once it has ended. A query that needs no
  // parameters is then RUN_ENDED: Find and Now() say all there is.
  void Control(const std::string& run_id, v1::Control control, const ControlCallback& callback);
  // Where parameters were chosen that are in a file, the run's state does not matter, and its trainer is not asked. The
  // answer says which they were. What takes long is given up once `awaited` is false, if it is set.
  void Query(const std::string& run_id, const std::shared_ptr<const v1::Query>& query, const v1::ModelChoice& choice,
             const std::function<bool()>& awaited, const QueryCallback& callback);

  // The kinds of plugins that this service's trainers know.
  void PluginKinds(const KindsCallback& callback);

  // Newest first.
  std::vector<std::shared_ptr<const v1::Run>> List() const;

  // Takes no new runs. With `stop_runs`, stops every run that lives, waits for them until `patience` has passed, and
  // kills the trainers of those that have not stopped then. Otherwise trainers go on alone. Afterwards no run has a
  // thread.
  void Shutdown(bool stop_runs, std::chrono::seconds patience);

 private:
  RunRegistry(RegistryOptions options, const DatasetStore& datasets, WorkPool& pool, WorkPool& saved_pool);

  void Recover();
  std::shared_ptr<Run> Reopen(StoredRun stored);
  // Takes a name for a new run, or finds the run that an earlier request with this id has started.
  struct Reservation {
    std::string run_id;
    bool repeated = false;
  };
  absl::StatusOr<Reservation> Reserve(const RunToStart& run) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(const std::string& run_id, const std::string& request_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerRepeatedStart(const RunToStart& run, const std::string& run_id, const StartCallback& callback);
  absl::Status Create(const RunToStart& run, const StartCallback& callback);
  void JoinEnding() ABSL_LOCKS_EXCLUDED(mutex_);
  // With `started`, a new run, whose trainer is started; without, one whose trainer is expected to return.
  std::shared_ptr<Run> MakeLive(StoredRun stored, const StartCallback& started);
  void AskSaved(const std::shared_ptr<Run>& run, std::shared_ptr<const v1::Query> query, const v1::ModelChoice& choice,
                const std::function<bool()>& awaited, const QueryCallback& callback);
  absl::StatusOr<v1::PluginKindsAnswer> AskPluginKinds() const;
  absl::Status NotAlive(const Run& run) const ABSL_LOCKS_EXCLUDED(mutex_);
  void OnEnd(Run& run, bool refused) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Run>> LiveRuns() const ABSL_LOCKS_EXCLUDED(mutex_);
  void StopAll(std::chrono::seconds patience) ABSL_LOCKS_EXCLUDED(mutex_);
  bool AwaitNoneAlive(std::chrono::steady_clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  const RegistryOptions options_;
  const RunStore store_;
  const DatasetStore& datasets_;
  WorkPool& pool_;
  WorkPool& saved_pool_;
  // For scores of saved parameters: each reads a run's data, so it is one after the other, and nobody else waits for
  // it.
  WorkPool scores_pool_{kScoresThreads, kMaxWaitingScores};
  PluginKindsCache plugin_kinds_;
  // As stopping_, for work that has no time for the lock.
  std::atomic<bool> given_up_ = false;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Null: being started.
  std::map<std::string, std::shared_ptr<Run>> runs_ ABSL_GUARDED_BY(mutex_);
  // request_id of StartRun → run_id.
  std::map<std::string, std::string> starts_ ABSL_GUARDED_BY(mutex_);
  // Runs whose threads are about to end; joined by the next start, or at the end.
  std::vector<std::shared_ptr<Run>> ending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_REGISTRY_H_
