// The files of a run's checkpoints: written, counted and removed, by one thread at a time.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_FOLDER_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_FOLDER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/checkpoint/checkpoint_store.h"
#include "trainer/checkpoint/retention.h"

namespace pilothouse::trainer {

// Not thread-safe.
class CheckpointFolder {
 public:
  // As CheckpointStore's.
  CheckpointFolder(std::string run_directory, CheckpointRetention retention, std::vector<RecordedCheckpoint> recorded);

  CheckpointOutcome Write(const CheckpointRequest& request);
  // As CheckpointStore::Recorded.
  void Recorded(int64_t count, int64_t announced);
  // Removes what is not needed any more.
  void Tidy();

 private:
  struct Item {
    KeptCheckpoint kept;
    std::string file;
    // How many were written before it in this life; −1: it is older.
    int64_t ordinal = -1;
    // It was there at the beginning, and the journal does not know it.
    bool unknown = false;
  };

  std::string PathOf(const std::string& file) const { return run_directory_ + "/" + file; }
  // Nothing recorded in this life has come as far yet as one that the journal did not know.
  bool IsAhead(const Item& item) const;
  // Looks what is in the folder.
  void Take(std::vector<RecordedCheckpoint> recorded);
  // Returns the SHA-256 of the file, and sets `bytes`.
  absl::StatusOr<std::string> WriteFile(const std::string& file, const SavedState& state, int64_t& bytes) const;
  void WriteInto(CheckpointOutcome& outcome, const CheckpointRequest& request);
  // A name that no checkpoint of the run has or had: the journal knows its files by name and content.
  std::string NewName(int64_t batch) const;

  const std::string run_directory_;
  const CheckpointRetention retention_;
  // In the order in which they were written.
  std::vector<Item> items_;
  std::set<std::string> names_;
  int64_t written_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_CHECKPOINT_FOLDER_H_
