// A plugin of one's own: how far the loss goes up and down.
#ifndef PILOTHOUSE_EXAMPLES_OWN_PLUGIN_LOSS_RANGE_H_
#define PILOTHOUSE_EXAMPLES_OWN_PLUGIN_LOSS_RANGE_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::examples {

// "loss-range": looks at the loss at each call, reports the lowest and the highest of the newest `window` looks, and
// lowers eta, times `factor`, where the loss has more than `tolerance` times the lowest.
trainer::PluginKind LossRangeKind();

}  // namespace pilothouse::examples

#endif  // PILOTHOUSE_EXAMPLES_OWN_PLUGIN_LOSS_RANGE_H_
