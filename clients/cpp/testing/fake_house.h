// The runs of a fake service (see fake_service.h), and a record of what was asked of it. All methods are thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_HOUSE_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_HOUSE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pilothouse/v1/training_control.pb.h"
#include "proto/support/mutex.h"

namespace pilothouse::client {

// What outlives a server: runs, events, and a record of what was asked.
class FakeHouse {
 public:
  // A run IDLE at batch 0, of a 2-2-1 network with 9 parameters. Its creation time is one second after the run before.
  void AddRun(const std::string& run_id);
  void AddLoss(const std::string& run_id, int64_t batch, double value);
  // Ended statuses end the run.
  void AddStatus(const std::string& run_id, v1::RunStatus status, const std::string& message = "");
  void AddState(const std::string& run_id);
  // Appends what a plugin reported.
  // With a branch: one that the history of this branch has, and no other.
  void AddPluginReport(const std::string& run_id, int64_t batch, const v1::PluginReport& report,
                       const std::string& branch = "");
  // The plugins of a run, as they are from now on.
  void SetPlugins(const std::string& run_id, const std::vector<v1::PluginStatus>& plugins);
  // A checkpoint of the run, and the event that says so.
  void AddCheckpoint(const std::string& run_id, const v1::Checkpoint& checkpoint);
  // Appends any event. Its batch, where it is not 0, becomes the run's.
  void AddEvent(const std::string& run_id, const v1::Event& event);
  // Changes what the run says of itself.
  void Edit(const std::string& run_id, const std::function<void(v1::Run&)>& edit);
  // Parameters that were kept in the folder `saved`, as they were after this batch.
  void AddSaved(const std::string& run_id, const std::string& file, int64_t batch);
  // From now on the best parameters are refused, as those of a damaged file.
  void DamageBest(const std::string& run_id, const std::string& file, int64_t batch);
  // Events whose journal cannot be read; told with the next page of history.
  void AddDamage(uint64_t first, uint64_t last);
  void SetLoss(const std::string& run_id, v1::LossFunction loss, int64_t inputs, int64_t outputs);

  // The next `count` changes and forks are made, and then answered with UNAVAILABLE: as if the connection broke before
  // the answer. Runs are not started: as if it broke before the request.
  void LoseNextAnswers(int count);
  // From now on as a service of an older version: it does not know Evaluate, answers for the last parameters whichever
  // are asked for, without saying so, and keeps no examples apart whose number is asked for by its size.
  void BeOlder();
  // Announces a gap to the watchers with the next message.
  void AddGap(uint64_t first, uint64_t last);

  // How many changes were made (as opposed to answered again).
  int changes() const;
  // Options of all changes asked for, repetitions included.
  std::vector<v1::ControlOptions> asked() const;
  std::vector<v1::StartRunRequest> starts() const;
  std::vector<v1::ForkRequest> forks() const;
  std::vector<v1::ReadHistoryRequest> histories() const;
  std::vector<v1::WatchTrainingRequest> watches() const;
  // Rows of each Predict.
  std::vector<int64_t> predictions() const;
  std::vector<v1::EvaluateRequest> evaluations() const;
  // Bytes of the parts of the last upload, and the largest chunk of all.
  std::map<v1::DatasetPart, std::string> uploaded() const;
  size_t largest_chunk() const;
  v1::DatasetFormat upload_format() const;

 private:
  friend class FakeService;
  friend class FakeServer;

  struct FakeRun {
    v1::Run run;
    std::vector<v1::Event> events;
    std::map<std::string, v1::Receipt> receipts;
    // Newest first.
    std::vector<v1::Checkpoint> checkpoints;
    // File below the run's directory → batch.
    std::map<std::string, int64_t> saved;
    // The refusal of the best parameters, if they are refused.
    absl::Status damaged_best;
    // Sequence → branch, of events that only a branch has.
    std::map<uint64_t, std::string> branches;
  };

  // Wakes the watches, which then end.
  void SetStopping(bool stopping);
  bool stopping() const;
  // Whether the next answer is to be lost; counts it.
  bool LosesAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FakeRun& Get(const std::string& run_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(FakeRun& run, v1::Event event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddRunLocked(const std::string& run_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddCheckpointLocked(FakeRun& run, v1::Checkpoint checkpoint) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes a checkpoint of where the run is.
  v1::Checkpoint SaveLocked(FakeRun& run, bool pin) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After the control was reported: the run is there, paused.
  void GoBackLocked(FakeRun& run, int64_t batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ForkLocked(const v1::ForkRequest& request, v1::ForkResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A page by its kinds, batches and size; branches and points are not looked at.
  absl::Status ReadLocked(const v1::ReadHistoryRequest& request, v1::ReadHistoryResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The state vector is 0.1, 0.2, …, whosever it is.
  absl::Status GetStateLocked(const v1::GetStateRequest& request, v1::GetStateResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives each row of inputs back, cut or filled with zeros to the number of outputs.
  absl::Status PredictLocked(const v1::PredictRequest& request, v1::PredictResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same scores of two classes for all parameters and parts.
  absl::Status EvaluateLocked(const v1::EvaluateRequest& request, v1::EvaluateResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // NO_PARAMETERS if nothing was kept under that name; best is what was kept as saved/best.safetensors.
  static absl::Status Choose(const FakeRun& run, const v1::ModelChoice& choice, v1::ModelUsed& used);

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, FakeRun> runs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool older_ ABSL_GUARDED_BY(mutex_) = false;
  int answers_to_lose_ ABSL_GUARDED_BY(mutex_) = 0;
  int changes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::Gap> gaps_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ControlOptions> asked_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::StartRunRequest> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ForkRequest> forks_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ReadHistoryRequest> histories_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::Gap> damage_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::WatchTrainingRequest> watches_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> predictions_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::EvaluateRequest> evaluations_ ABSL_GUARDED_BY(mutex_);
  std::map<v1::DatasetPart, std::string> uploaded_ ABSL_GUARDED_BY(mutex_);
  v1::DatasetFormat upload_format_ ABSL_GUARDED_BY(mutex_) = v1::DATASET_FORMAT_UNSPECIFIED;
  size_t largest_chunk_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_HOUSE_H_
