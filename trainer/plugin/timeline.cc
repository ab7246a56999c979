#include "trainer/plugin/timeline.h"

#include <algorithm>

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMillionths = 1'000'000;
constexpr int64_t kNanoseconds = 1'000'000'000;

// a * b + c, at most kMaxTicks: a run whose batches are counted up to the largest target may have seen more examples
// than there are ticks. REQUIRES: all are at least 0.
Ticks TicksFrom(int64_t a, int64_t b, int64_t c) {
  if (c >= kMaxTicks || (a > 0 && b > (kMaxTicks - c) / a)) return kMaxTicks;
  return a * b + c;
}

int64_t DividedRoundingUp(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

int64_t TicksPerUnit(Timeline timeline) {
  switch (timeline) {
    case Timeline::kBatches:
    case Timeline::kExamples:
      return 1;
    case Timeline::kEpochs:
      return kMillionths;
    case Timeline::kWallTime:
    case Timeline::kTrainingTime:
      break;
  }
  return kNanoseconds;
}

absl::string_view TimelineName(Timeline timeline) {
  switch (timeline) {
    case Timeline::kBatches:
      return "batches";
    case Timeline::kExamples:
      return "examples";
    case Timeline::kEpochs:
      return "epochs";
    case Timeline::kWallTime:
      return "wall_time";
    case Timeline::kTrainingTime:
      break;
  }
  return "training_time";
}

std::optional<Timeline> TimelineOf(absl::string_view name) {
  for (const Timeline timeline : kTimelines) {
    if (TimelineName(timeline) == name) return timeline;
  }
  return std::nullopt;
}

RunTimelines::RunTimelines(BatchSizes sizes, std::chrono::steady_clock::time_point now, Saved saved)
    : sizes_(sizes),
      batches_per_epoch_(DividedRoundingUp(sizes.examples, sizes.batch_size)),
      begin_(now - saved.wall_time),
      now_(saved) {}

void RunTimelines::Advance(int64_t batch, std::chrono::steady_clock::time_point now, std::chrono::nanoseconds trained) {
  now_.batch = std::max(now_.batch, batch);
  now_.wall_time = std::max<std::chrono::nanoseconds>(now_.wall_time, now - begin_);
  now_.training_time += std::max(trained, std::chrono::nanoseconds(0));
}

int64_t RunTimelines::ExamplesAt(int64_t batch) const {
  const int64_t in_epoch = std::min(TicksFrom(batch % batches_per_epoch_, sizes_.batch_size, 0), sizes_.examples);
  return TicksFrom(batch / batches_per_epoch_, sizes_.examples, in_epoch);
}

Ticks RunTimelines::Now(Timeline timeline) const {
  switch (timeline) {
    case Timeline::kBatches:
      return now_.batch;
    case Timeline::kExamples:
      return ExamplesAt(now_.batch);
    case Timeline::kEpochs: {
      const int64_t examples = ExamplesAt(now_.batch % batches_per_epoch_);
      return TicksFrom(now_.batch / batches_per_epoch_, kMillionths,
                       TicksFrom(examples, kMillionths, 0) / sizes_.examples);
    }
    case Timeline::kWallTime:
      return now_.wall_time.count();
    case Timeline::kTrainingTime:
      break;
  }
  return now_.training_time.count();
}

double RunTimelines::Value(Timeline timeline) const {
  return static_cast<double>(Now(timeline)) / static_cast<double>(TicksPerUnit(timeline));
}

int64_t RunTimelines::BatchAt(Timeline timeline, Ticks time) const {
  if (time <= 0) return 0;
  if (time > kMaxTicks) return kNever;
  if (timeline == Timeline::kBatches) return time;
  const bool epochs = timeline == Timeline::kEpochs;
  const Ticks ticks_per_epoch = epochs ? kMillionths : sizes_.examples;
  const Ticks in_epoch = time % ticks_per_epoch;
  // Millionths are rounded down, so the least number of examples that reaches them is rounded up.
  const int64_t examples = epochs ? DividedRoundingUp(TicksFrom(in_epoch, sizes_.examples, 0), kMillionths) : in_epoch;
  const int64_t batch =
      TicksFrom(time / ticks_per_epoch, batches_per_epoch_, DividedRoundingUp(examples, sizes_.batch_size));
  return batch < kMaxTicks ? batch : kNever;
}

std::chrono::steady_clock::time_point RunTimelines::MomentAt(Ticks wall_time) const {
  using TimePoint = std::chrono::steady_clock::time_point;
  const std::chrono::nanoseconds time(wall_time);
  // Far enough away, no clock can say when.
  if (begin_.time_since_epoch().count() > 0 && time > TimePoint::max() - begin_) return TimePoint::max();
  return begin_ + time;
}

}  // namespace pilothouse::trainer
