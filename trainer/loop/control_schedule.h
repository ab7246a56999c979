// Controls that wait for their batch, and the memory of those that were accepted.
#ifndef PILOTHOUSE_TRAINER_LOOP_CONTROL_SCHEDULE_H_
#define PILOTHOUSE_TRAINER_LOOP_CONTROL_SCHEDULE_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "trainer/loop/control.h"

namespace pilothouse::trainer {

inline constexpr size_t kMaxWaitingControls = 1024;
// Of how many applied controls the ids are remembered. The service, which remembers all, asks twice only for the
// newest.
inline constexpr size_t kMaxRememberedControls = 4096;

// Not thread-safe.
class ControlSchedule {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Whether a control with this id waits, or is among the newest that were applied.
  bool Knows(const std::string& request_id) const { return known_.count(request_id) > 0; }

  // Keeps a control until its batch. TOO_MANY_CONTROLS when kMaxWaitingControls wait already. REQUIRES: at_batch is
  // set.
  absl::Status Wait(Control control);

  // Takes out the controls that wait for `batch`, in the order they came.
  std::vector<Control> TakeDue(int64_t batch);
  // Takes out all that wait, by batch.
  std::vector<Control> TakeAll();

  // The batch the next control waits for, or kNever.
  int64_t NextBatch() const { return waiting_.empty() ? kNever : waiting_.begin()->first; }

  void RememberApplied(const std::string& request_id);

 private:
  std::vector<Control> TakeUpTo(std::multimap<int64_t, Control>::iterator end);

  std::multimap<int64_t, Control> waiting_;
  std::unordered_set<std::string> known_;  // ids of those that wait or are in applied_
  std::deque<std::string> applied_;        // oldest first
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CONTROL_SCHEDULE_H_
