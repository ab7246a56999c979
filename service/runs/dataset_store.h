// Datasets the service holds for its runs: what clients uploaded, named by content, and files an operator put there.
//
//   <data>/datasets/<dataset_id>/   a table, or inputs, targets and perhaps weights
//   <data>/files/                   anything; runs name files in it by relative path
//
// What they are called is in proto/support/dataset_files.h.
//
// The store looks at names and sizes only; the trainer reads the content.
#ifndef PILOTHOUSE_SERVICE_RUNS_DATASET_STORE_H_
#define PILOTHOUSE_SERVICE_RUNS_DATASET_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::service {

// Absolute paths: either `table`, or `inputs` and `targets`, and perhaps `weights`.
struct DataPaths {
  std::string table = "";
  std::string inputs = "";
  std::string targets = "";
  std::string weights = "";
};

class DatasetUpload;

// Thread-safe: all state is on the disk.
class DatasetStore {
 public:
  // `root` is the service's data directory. Removes what interrupted uploads left behind.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(const std::string& root, int64_t max_dataset_bytes);

  // Where to read a run's data. DATASET_NOT_FOUND, FILE_NOT_FOUND, FILE_NAME_INVALID or SPEC_INVALID, blaming a field
  // of DataSpec.
  absl::StatusOr<DataPaths> Locate(const v1::DataSpec& spec) const;
  // The same for a new run: also DATASET_TOO_LARGE.
  absl::StatusOr<DataPaths> Find(const v1::DataSpec& spec) const;

  // Begins to store a dataset. DATASET_TOO_LARGE when the header says so already.
  absl::StatusOr<std::unique_ptr<DatasetUpload>> Begin(const v1::DatasetHeader& header) const;

 private:
  friend class DatasetUpload;
  DatasetStore(std::string root, int64_t max_dataset_bytes) : root_(std::move(root)), max_bytes_(max_dataset_bytes) {}

  absl::StatusOr<DataPaths> FindUploaded(const std::string& dataset_id) const;
  absl::StatusOr<DataPaths> FindFile(const std::string& name) const;

  const std::string root_;
  const int64_t max_bytes_;
};

// One upload. Nothing is visible before Finish; destroying an unfinished upload removes it. Blocks on the disk. Used by
// one thread at a time. Must not outlive its store.
class DatasetUpload {
 public:
  ~DatasetUpload();
  DatasetUpload(const DatasetUpload&) = delete;
  DatasetUpload& operator=(const DatasetUpload&) = delete;

  // Parts come in the order of DatasetPart. DATASET_TOO_LARGE, REQUEST_TOO_LARGE, or SPEC_INVALID for a part that the
  // format does not have or that comes too late.
  absl::Status Append(const v1::DatasetChunk& chunk);

  // Makes the dataset visible. SPEC_INVALID when a part is missing or the announced size was not met.
  absl::StatusOr<v1::UploadDatasetResponse> Finish();

 private:
  friend class DatasetStore;
  class PartFile;
  DatasetUpload(const DatasetStore& store, v1::DatasetHeader header, std::string directory);

  std::string ContentId() const;

  const DatasetStore& store_;
  const v1::DatasetHeader header_;
  const std::string directory_;
  int64_t total_bytes_ = 0;
  v1::DatasetPart current_ = v1::DATASET_PART_UNSPECIFIED;
  std::map<v1::DatasetPart, std::unique_ptr<PartFile>> parts_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_DATASET_STORE_H_
