// Where a run lives, and how its trainer is started.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_PLACE_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_PLACE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/journal/journal.h"
#include "service/runs/dataset_store.h"

namespace pilothouse::service {

struct RunPlace {
  std::string directory;
  // Program and arguments of the trainer.
  std::vector<std::string> trainer_command;
  // The trainer proves with it that it is the one the service started.
  std::string token;
  DataPaths data;
  // Looks for them again, as DatasetStore::Find. Unset: they are where they were.
  std::function<absl::StatusOr<DataPaths>()> find_data;

  std::string journal_path() const { return directory + "/" + kJournalFile; }
  std::string log_path() const { return directory + "/trainer.log"; }
  // Locked by the trainer for as long as it lives.
  std::string lock_path() const { return directory + "/trainer.lock"; }
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_PLACE_H_
