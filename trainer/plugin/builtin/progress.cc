#include "trainer/plugin/builtin/progress.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pilothouse::trainer {

bool Progress::Improves(double value) const {
  if (!std::isfinite(value)) return false;
  if (!best_.has_value()) return true;
  // Of the best's size, not of the best: a part of a negative best would move the limit the wrong way.
  const double margin = std::max(rules_.min_gain, rules_.min_relative_gain * std::abs(*best_));
  return rules_.maximise ? value > *best_ + margin : value < *best_ - margin;
}

bool Progress::Look(double value, int64_t batch) {
  if (!Improves(value)) {
    ++looks_without_gain_;
    return false;
  }
  best_ = value;
  best_batch_ = batch;
  looks_without_gain_ = 0;
  return true;
}

void Progress::Save(MemoryWriter& memory) const {
  memory.Number(best_.value_or(std::numeric_limits<double>::quiet_NaN()));
  memory.Integer(best_batch_);
  memory.Integer(looks_without_gain_);
}

void Progress::Restore(MemoryReader& memory) {
  const double best = memory.Number();
  best_ = std::isfinite(best) ? std::optional<double>(best) : std::nullopt;
  best_batch_ = memory.Integer();
  looks_without_gain_ = memory.Integer();
}

}  // namespace pilothouse::trainer
