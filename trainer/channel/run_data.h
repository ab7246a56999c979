// The files that a run's data are in.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_DATA_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_DATA_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::trainer {

// Either a table, or inputs and targets, and perhaps weights.
struct DataFiles {
  std::string table = "";
  std::string inputs = "";
  std::string targets = "";
  std::string weights = "";

  // In the order in which they are hashed.
  std::vector<std::string> paths() const;
};

DataFiles DataFilesOf(const v1::Welcome& welcome);

// Where a service that keeps its data in this folder has what a run is trained on. FILE_NOT_FOUND where it is not.
// Thread-safe.
absl::StatusOr<DataFiles> FindData(const v1::DataSpec& spec, const std::string& data_directory);

// As in RunFacts.data_sha256. FILE_NOT_FOUND. Thread-safe.
absl::StatusOr<std::string> HashOfData(const DataFiles& files);

// What to do about a living run whose data have changed.
inline constexpr absl::string_view kRestoreData = "Put the old data back and fork the run, or start another.";

// DATA_CHANGED, with a sentence that says what to do, unless both are the same or one of them is empty, which is: not
// known.
absl::Status CheckDataHash(const std::string& expected, const std::string& found,
                           absl::string_view advice = kRestoreData);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_DATA_H_
