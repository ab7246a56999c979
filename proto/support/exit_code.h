// How the process of a trainer ends, for the service that started it. Other codes say what they say to a shell: 0 all
// is done, 1 it failed, 2 it was called wrongly.
#ifndef PILOTHOUSE_PROTO_SUPPORT_EXIT_CODE_H_
#define PILOTHOUSE_PROTO_SUPPORT_EXIT_CODE_H_

namespace pilothouse {

// The run cannot be built.
inline constexpr int kExitSpecRefused = 3;
// Told to end, the trainer did so after a checkpoint: the run has not ended, another trainer is to go on with it.
inline constexpr int kExitSuspended = 4;

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_EXIT_CODE_H_
