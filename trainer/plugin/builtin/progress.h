// Whether a number that is looked at again and again still gets better.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PROGRESS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PROGRESS_H_

#include <cstdint>
#include <optional>

#include "trainer/plugin/builtin/memory.h"

namespace pilothouse::trainer {

// What counts as a gain: to be better than the best so far by more than both of these.
struct GainRules {
  // More is better.
  bool maximise = false;
  // 0 or more.
  double min_gain = 0;
  // 0 or more, as a part of the best's size: with 0.001 a loss has to fall below 0.999 of the best.
  double min_relative_gain = 0;
};

// Not thread-safe.
class Progress {
 public:
  explicit Progress(GainRules rules) : rules_(rules) {}

  // Whether this would be a new best: the first finite value is; later ones are if they are a gain. A tie is none, nor
  // is anything that is not finite.
  bool Improves(double value) const;
  // Takes a look at the value after `batch`; returns Improves.
  bool Look(double value, int64_t batch);

  // nullopt: no look found a finite value.
  const std::optional<double>& best() const { return best_; }
  int64_t best_batch() const { return best_batch_; }
  // Since the last gain, or since they were last forgotten.
  int64_t looks_without_gain() const { return looks_without_gain_; }
  void ForgetLooks() { looks_without_gain_ = 0; }

  void Save(MemoryWriter& memory) const;
  void Restore(MemoryReader& memory);

 private:
  GainRules rules_;
  std::optional<double> best_;
  int64_t best_batch_ = 0;
  int64_t looks_without_gain_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_PROGRESS_H_
