// A run on its way back to where it was: what of its past is still to come.
#ifndef PILOTHOUSE_TRAINER_LOOP_CATCH_UP_H_
#define PILOTHOUSE_TRAINER_LOOP_CATCH_UP_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "trainer/loop/clock.h"
#include "trainer/loop/control.h"
#include "trainer/loop/resume.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Used on the training thread.
class CatchUp {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // The run begins again at `begin`, which was at `begin_time` in its past. Null: at its first mark.
  CatchUp(std::shared_ptr<const ResumePlan> plan, std::optional<WallTime> begin_time, TimePoint begin);

  const ResumePlan& plan() const { return *plan_; }
  int64_t through_batch() const { return plan_->through_batch; }

  // The batch of the next control that is still to be applied again, kNever if there is none.
  int64_t NextControlBatch() const { return controls_.empty() ? kNever : controls_.front().batch; }
  // Takes out the next one of this batch; or the one that a plugin asked for by this name (WishNames).
  // Without `of_plugins`, those that plugins asked for stay, for plugins that run later at the same boundary.
  std::optional<Control> TakeControl(int64_t batch, bool of_plugins);
  std::optional<Control> TakeControl(int64_t batch, const std::string& name);

  // When the run was at `batch`, on a clock that stands still while the run catches up and on which as much time passes
  // as had passed in its past. Ask with batches that do not go back.
  TimePoint TimeAt(int64_t batch);

  // Whether the journal knows a checkpoint that was asked for by this control.
  bool HasCheckpoint(const std::string& request_id) const;

 private:
  const std::shared_ptr<const ResumePlan> plan_;
  std::list<AppliedControl> controls_;
  const std::optional<WallTime> begin_time_;
  const TimePoint begin_;
  TimePoint time_;
  size_t next_mark_ = 0;
};

// What plugins reported of the batch that a run comes back to. Used on the training thread.
class KnownReports {
 public:
  KnownReports(int64_t batch, std::map<std::string, int> counts) : batch_(batch), counts_(std::move(counts)) {}

  // Whether one more output or failure of this plugin at `batch` was reported in the past.
  bool Take(int64_t batch, const std::string& plugin);

 private:
  int64_t batch_;
  std::map<std::string, int> counts_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_CATCH_UP_H_
