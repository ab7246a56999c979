// Controls and queries that were sent to a trainer and not answered yet. Used by one thread.
#ifndef PILOTHOUSE_SERVICE_RUNS_PENDING_CONTROLS_H_
#define PILOTHOUSE_SERVICE_RUNS_PENDING_CONTROLS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// Controls of one run that are on their way, and those that wait for their at_batch, which may be far: each have their
// own bound, so that the latter never keep the former out. A stop is always taken.
inline constexpr size_t kMaxPendingControls = 1024;
inline constexpr size_t kMaxScheduledControls = 256;
// Clients that may wait for the same control; one more makes the oldest give way.
inline constexpr size_t kMaxWaitersPerControl = 16;
// Queries of one run that wait for their answer.
inline constexpr size_t kMaxPendingQueries = 256;

// What a control came to.
struct ControlOutcome {
  v1::Receipt receipt;
  // For a stop: where the run ended.
  int64_t final_batch = 0;
  double final_loss = -1;
  // For a checkpoint: what was written.
  v1::Checkpoint checkpoint = {};
};

using ControlCallback = std::function<void(absl::StatusOr<ControlOutcome>)>;
using QueryCallback = std::function<void(absl::StatusOr<v1::Answer>)>;

// The error for a request_id that was used for another change; `field` is where the request has it.
absl::Status RequestIdReused(const std::string& request_id, absl::string_view field = "options.request_id");
// Whether `asked` asks for the change that was made as `known`, where a name was made up for a branch that had none.
bool SameChange(const v1::Change& known, const v1::Change& asked);

class PendingControls {
 public:
  enum class Added { kNew, kJoined };

  // Adds a waiter: for a new control (which is then to be sent), or for one under way. REQUEST_ID_REUSED when that one
  // asked for something else, TOO_MANY_CONTROLS when there are too many.
  absl::StatusOr<Added> Add(const v1::Control& control, ControlCallback callback);

  // Somebody waits for the control.
  bool Contains(const std::string& request_id) const { return controls_.contains(request_id); }
  // A control under way takes the run back and calls the branch so.
  bool NamesBranch(const std::string& branch) const;

  // Answers everybody who waits for `request_id`. Does nothing if nobody does.
  void Resolve(const std::string& request_id, const absl::StatusOr<ControlOutcome>& outcome);

  // Adds a query and returns its id, or TOO_MANY_CONTROLS.
  absl::StatusOr<uint64_t> AddQuery(QueryCallback callback);
  void ResolveQuery(uint64_t query_id, absl::StatusOr<v1::Answer> answer);

  // Answers all queries with `error`.
  void FailQueries(const absl::Status& error);
  // Answers everything with `error`.
  void FailAll(const absl::Status& error);

 private:
  struct Waiting {
    v1::Change change;
    bool scheduled = false;
    std::vector<ControlCallback> callbacks;
  };

  std::map<std::string, Waiting> controls_;
  // How many of them have an at_batch.
  size_t scheduled_ = 0;
  std::map<uint64_t, QueryCallback> queries_;
  uint64_t last_query_id_ = 0;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_PENDING_CONTROLS_H_
