// Where a fork begins: in the past of another run.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_FORK_POINT_H_
#define PILOTHOUSE_TRAINER_CHANNEL_FORK_POINT_H_

#include "absl/status/status.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/data/parsed_copy.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/loop_options.h"

namespace pilothouse::trainer {

// A new run begins as a fork of the one that welcome.fork names: comes to its batch there, which takes as long as
// training from the checkpoint before it does, and checks what is to be different. `learner` is the new run's, and
// `copy` that of the data of both, or null. Errors: those of RunHistory, BuildLearner, Knobs::Check and
// PluginHost::Attach and Detach, which blame "knobs[i]", "detach_plugins[i]" and "attach_plugins[i]".
absl::Status AddFork(const v1::Welcome& welcome, Learner& learner, ParsedCopy* copy, LoopOptions& options);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_FORK_POINT_H_
