// Whether the data of a run are there for a trainer that is to be started again.
#ifndef PILOTHOUSE_SERVICE_RUNS_DATA_WAIT_H_
#define PILOTHOUSE_SERVICE_RUNS_DATA_WAIT_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/runs/dataset_store.h"

namespace pilothouse::service {

// Used by one thread. Looks at the disk when it is asked to.
class DataWait {
 public:
  using Finder = std::function<absl::StatusOr<DataPaths>()>;

  // Where they are now, and what looks for them again. Without `find` they are always there.
  DataWait(DataPaths paths, Finder find) : paths_(std::move(paths)), find_(std::move(find)) {}

  // Where they are, or why no trainer can be started with them. What was missing or refused is taken only when two
  // looks in a row have found the same files: before that, somebody may still be writing them.
  absl::StatusOr<DataPaths> Look();

  // A trainer refused what the newest look found: with DATA_CHANGED, they are waited for until they are other files.
  void Refuse(const absl::Status& why);

  // There is no reason to start a trainer, since the newest look or refusal; why().
  bool waiting() const { return !why_.ok(); }
  const absl::Status& why() const { return why_; }

 private:
  const DataPaths paths_;
  const Finder find_;
  absl::Status why_;
  // Which files the newest look found, and which were refused. Empty: none.
  std::string found_;
  std::string refused_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_DATA_WAIT_H_
