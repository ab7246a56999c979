// Eta as a piecewise constant function of how far a run has come.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_STEPS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_STEPS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

struct EtaStep {
  Ticks from = 0;  // above 0
  double eta = 0;  // finite, above 0
};

// "50:0.01, 70:0.005" or "50,0.01;70,0.005": from 50 on 0.01, from 70 on 0.005. In the order of their times, in which
// they need not be given. PLUGIN_SETTING_INVALID, naming the entry that cannot be read or is there twice, and blaming
// `setting`.
absl::StatusOr<std::vector<EtaStep>> ParseEtaSteps(absl::string_view text, absl::string_view setting,
                                                   Timeline timeline);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_ETA_STEPS_H_
