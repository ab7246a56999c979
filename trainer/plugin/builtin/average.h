// The kind "average": a running average of the parameters, which often does better than the parameters themselves.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_AVERAGE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_AVERAGE_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// At its k-th call (the first is 1), with the parameters θ and decay d:
//
//   average += (θ − average) · (1 − d) / (1 − d^k)
//
// which is the exponential average Σ d^(k−i)·θ_i, i from 1 to k, divided by the sum of its weights: it does not lean
// towards zero, or towards where training began, while there are few calls. Kept in double.
//
// At the end of the run, and each `save_every` calls, it is written to "saved/<file>" in the run's directory, in the
// form in which Model::Save writes parameters.
PluginKind AverageKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_AVERAGE_H_
