// The named, bounded settings of a run that can be changed while it runs.
#ifndef PILOTHOUSE_TRAINER_LOOP_KNOBS_H_
#define PILOTHOUSE_TRAINER_LOOP_KNOBS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/optim/update_settings.h"
#include "trainer/plugin/change.h"

namespace pilothouse::trainer {

inline constexpr double kMaxLossIntervalSeconds = 3600;
inline constexpr double kMaxCheckpointIntervalSeconds = 7 * 24 * 3600;

// A knob as it is declared to others. Bounds are inclusive.
struct KnobFacts {
  std::string name;
  double value = 0;
  double minimum = 0;
  double maximum = 0;
  bool integer = false;
  std::string description;
  bool follows_schedule = false;
};

// A value type. The members of `update` that the optimizer has, and the members below it, are the knobs' values; their
// names are the knobs' names.
struct Knobs {
  // Is no knob: it stays what the run began with.
  OptimizerKind optimizer = OptimizerKind::kGradientDescent;
  UpdateSettings update = {};
  // Eta is what the run's schedule says (scheduled_eta.h), and was not set by hand.
  bool eta_follows_schedule = true;
  // Least time between two reports of a changing loss, in seconds, from 0 to kMaxLossIntervalSeconds.
  double loss_interval = 0.05;
  // Report every n-th loss besides, and every n-th state vector. 0 or less: off.
  int64_t loss_every = 0;
  int64_t state_every = 0;
  // Least time between two checkpoints, in seconds, from 0 (none by time) to kMaxCheckpointIntervalSeconds; and one at
  // every n-th batch, 0 or less: off.
  double checkpoint_interval = 60;
  int64_t checkpoint_every = 0;

  // Those of a run that says nothing but which optimizer it has.
  static Knobs UsualOf(OptimizerKind optimizer);

  // eta first, then what else the optimizer has.
  std::vector<KnobFacts> Facts() const;

  // REQUIRES: there is such a knob.
  double Get(absl::string_view name) const;

  // Whether Set would accept the value, in a run with so many parameters. Fails with KNOB_UNKNOWN, ETA_INVALID,
  // KNOB_OUT_OF_RANGE or, for states too large to be reported, STATE_TOO_LARGE.
  absl::Status Check(absl::string_view name, double value, int64_t parameters) const;
  // The same for a change, which is refused with ETA_SCHEDULE_INVALID if another knob than eta is to follow a schedule.
  absl::Status Check(const KnobChange& change, int64_t parameters) const;

  // An eta that is set does not follow the schedule any more. REQUIRES: Check is OK.
  void Set(absl::string_view name, double value);
};

// OK if the knob takes the value, else KNOB_OUT_OF_RANGE blaming `field`.
absl::Status CheckRange(const KnobFacts& knob, double value, absl::string_view field);

// OK if eta is finite and above 0, else ETA_INVALID blaming `field`.
absl::Status CheckEta(double eta, absl::string_view field);

// OK if state_every is off or the network is small enough for its states to be reported, else STATE_TOO_LARGE.
absl::Status CheckStateEvery(int64_t state_every, int64_t parameters, absl::string_view field);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_KNOBS_H_
