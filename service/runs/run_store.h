// Runs on the disk: making their directories, and reading them again.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_STORE_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "pilothouse/v1/training_control.pb.h"
#include "service/journal/journal.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// Bytes that nobody can guess: tokens, made-up request ids and names are drawn from them.
std::string RandomBytes(size_t count);
uint64_t RandomNumber();
// So many of them as hexadecimal digits name something for ever.
inline constexpr size_t kTokenBytes = 16;

struct StoreOptions {
  // Absolute path; runs live in <directory>/<run_id>/.
  std::string directory;
  // Absolute path of the program pilothouse-trainer.
  std::string trainer_program;
  // What trainers dial, as gRPC writes it ("unix:/…").
  std::string trainer_address;
  // How long a trainer goes on without any service before it makes a checkpoint and ends.
  absl::Duration orphan_timeout;
  JournalSync journal_sync = JournalSync::kFull;
};

// A run to be made.
struct RunToStart {
  std::string run_id;
  // What a request calls that name.
  std::string run_id_field = "run_id";
  // Of the request. May be empty.
  std::string request_id;
  v1::RunSpec spec;
  // To train up to at once.
  int64_t target = 0;
  DataPaths data;
  // Of a fork: what was asked for, and what its first trainer is told besides.
  std::optional<v1::ForkRequest> fork;
  v1::Welcome beginning;
};

struct StoredRun {
  RunPlace place;
  // Complete.
  v1::RunSpec spec;
  // As the journal says, with its directory, and without the large values of its spec.
  v1::Run run;
  std::unique_ptr<Journal> journal;
  // Of the StartRun or Fork. May be empty.
  std::string start_request_id;
  // As in RunToStart.
  v1::Welcome beginning;
};

// Thread-safe: it holds nothing but options. Blocks on the disk.
class RunStore {
 public:
  // `datasets` must outlive it.
  RunStore(StoreOptions options, const DatasetStore& datasets) : options_(std::move(options)), datasets_(datasets) {}

  // Makes the directory of runs.
  absl::Status Prepare() const;

  // Makes a new run's directory and journal. RUN_ALREADY_EXISTS, JOURNAL_FAILED.
  absl::StatusOr<StoredRun> Create(const RunToStart& run) const;
  // The request that the run came from, if it is a fork. JOURNAL_FAILED.
  static absl::StatusOr<std::optional<v1::ForkRequest>> LoadForkRequest(const RunPlace& place);

  // The names of all runs there are.
  std::vector<std::string> RunIds() const;
  // JOURNAL_FAILED if it cannot be read.
  absl::StatusOr<StoredRun> Load(const std::string& run_id) const;
  // Where a run lives that cannot be loaded, or needs nothing more.
  RunPlace PlaceOf(const std::string& run_id) const { return PlaceOf(run_id, "", {}); }
  // Where it is, and nothing of what it was.
  v1::Run Unreadable(const std::string& run_id, const absl::Status& why) const;

  // Removes a run's directory with all that is in it.
  static void Remove(const RunPlace& place);

 private:
  RunPlace PlaceOf(const std::string& run_id, std::string token, DataPaths data) const;
  std::function<absl::StatusOr<DataPaths>()> FinderOf(const v1::RunSpec& spec) const;

  const StoreOptions options_;
  const DatasetStore& datasets_;
};

// RUN_ALREADY_EXISTS, blaming `field`.
absl::Status RunAlreadyExists(const std::string& run_id, const std::string& field);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_STORE_H_
