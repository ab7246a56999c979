// The kind "exchange": population-based training. Runs of the same network that learn side by side show each other
// their states; one that falls behind goes on from the best other one's parameters, with an eta near that one's.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EXCHANGE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EXCHANGE_H_

#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// At each call the run publishes its state (see published_state.h) and looks at what the others have published. If the
// best of them is better than itself by more than `margin` times the size of its own value, it asks for that one's
// parameters, copied into its own directory, and for that one's eta times or divided by `perturb`: which of the two,
// its seed and the number of its exchanges decide. What it learns of the others depends on when they published, so
// what it did stands in the journal, and a replay does the same.
//
// A state whose value is not finite is not published, and is worse than any other. Others that have published nothing
// yet, or something that cannot be read, are passed over.
PluginKind ExchangeKind();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_EXCHANGE_H_
