// The ways in which a run counts: batches, examples, epochs, wall time, training time.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_TIMELINE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_TIMELINE_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

enum class Timeline { kBatches, kExamples, kEpochs, kWallTime, kTrainingTime };

inline constexpr std::array<Timeline, 5> kTimelines = {Timeline::kBatches, Timeline::kExamples, Timeline::kEpochs,
                                                       Timeline::kWallTime, Timeline::kTrainingTime};

// A time on a timeline, in whole ticks: batches, examples, millionths of an epoch, nanoseconds. So that sets of times
// are exact.
using Ticks = int64_t;
inline constexpr Ticks kMaxTicks = int64_t{1} << 62;
inline constexpr Ticks kNever = std::numeric_limits<Ticks>::max();
// Beyond it, the millionths of an epoch could not be told in whole numbers.
inline constexpr int64_t kMaxEpochExamples = kMaxTicks / 1'000'000;

// Ticks in one unit of the timeline: a batch, an example, an epoch, a second.
int64_t TicksPerUnit(Timeline timeline);

// "batches", "examples", "epochs", "wall_time", "training_time".
absl::string_view TimelineName(Timeline timeline);
// nullopt: no timeline has this name.
std::optional<Timeline> TimelineOf(absl::string_view name);

// How examples pass in batches. Both are at least 1; an epoch has at most kMaxEpochExamples.
struct BatchSizes {
  int64_t examples = 1;    // in an epoch
  int64_t batch_size = 1;  // of every batch but an epoch's last, which may be smaller
};

// Where a run is on its timelines. Not thread-safe.
class RunTimelines {
 public:
  // What a checkpoint keeps of it.
  struct Saved {
    int64_t batch = 0;
    std::chrono::nanoseconds wall_time{0};
    std::chrono::nanoseconds training_time{0};
  };

  // Time begins at `now`, by a clock that never goes back. A restored run goes on counting from where it was saved: the
  // time between counts on no timeline.
  RunTimelines(BatchSizes sizes, std::chrono::steady_clock::time_point now, Saved saved = {0, {}, {}});

  // The run is at `batch` now, and of the time since the last call or the beginning `trained` was spent on batches.
  // Times that would go back stay where they are.
  void Advance(int64_t batch, std::chrono::steady_clock::time_point now, std::chrono::nanoseconds trained);

  // Wall time goes on from where it is, beginning at `now`: what passed since the last call counts on no timeline.
  void ContinueAt(std::chrono::steady_clock::time_point now) { begin_ = now - now_.wall_time; }

  Ticks Now(Timeline timeline) const;
  // Now, in the timeline's unit.
  double Value(Timeline timeline) const;

  // The first batch after which `timeline`, one that batches move, has reached `time`, 0 if it has from the beginning;
  // kNever if it is out of reach.
  // REQUIRES: timeline is kBatches, kExamples or kEpochs.
  int64_t BatchAt(Timeline timeline, Ticks time) const;
  // The moment at which wall time will have reached `time`.
  std::chrono::steady_clock::time_point MomentAt(Ticks wall_time) const;

  Saved Save() const { return now_; }

 private:
  int64_t ExamplesAt(int64_t batch) const;

  BatchSizes sizes_;
  int64_t batches_per_epoch_;
  // wall_time counts from here.
  std::chrono::steady_clock::time_point begin_;
  Saved now_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_TIMELINE_H_
