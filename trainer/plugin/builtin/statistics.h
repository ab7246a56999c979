// The kind "statistics": how weights, gradients and activations are distributed, layer by layer.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STATISTICS_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STATISTICS_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// What it reports, <block> being "layers.<i>.weight" or "layers.<i>.bias", and i the layer's place in the network,
// from 0:
//   weights      <block>.norm, .mean, .std, .min, .max
//   gradients    gradient.<block>.norm, .mean, .std      of the last batch's loss
//   activations  layers.<i>.mean, .std                   of what the layer gave for the last batch
//                layers.<i>.dead                         part of its units, 0 to 1, that were 0 for the whole batch;
//                                                        for layers whose units can die, as ReLU's can
// and histograms named <block>, gradient.<block> and layers.<i>, if asked for. Numbers of which one is not finite, and
// what is beyond the bounds of a report, are left out, and its message says so.
PluginKind StatisticsKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_STATISTICS_H_
