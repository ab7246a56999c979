// What the help says about checkpoints, going back and branching off, beside the list of options. The first line of a
// command's text is its entry in the list of commands.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_HELP_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_HELP_TEXT_H_

namespace pilothouse::client {

inline constexpr char kCheckpointText[] =
    R"(Make a checkpoint now
A checkpoint holds everything needed to continue a run exactly. Every run makes them by itself (pilot start says how
often, and how many are kept; the knobs checkpoint_interval and checkpoint_every change it). Answers when it has been
written. The file is a safetensors file with the parameters by name.)";

inline constexpr char kCheckpointFooter[] = R"(Examples:
  pilot checkpoint digits --pin --note "before I try something"
  pilot checkpoint --at 5000)";

inline constexpr char kCheckpointsText[] =
    R"(List the checkpoints of a run
The newest first; those of kept branches after those of the present line. One that is damaged has another size than when
it was written; one that is gone was pinned, and its file is missing. Only sizes are compared here: what a file holds is
compared whenever it is used. RUN may be an unambiguous beginning of a run's id.
Any batch can be gone back to or forked from, not only those with a checkpoint: the batches between are trained
again, exactly.)";

inline constexpr char kRewindText[] =
    R"(Take a run back to an earlier batch
The run is then exactly as it was after BATCH, and paused: parameters, optimizer, counters, plugins and the best so far.
best is the batch whose parameters are the best that were kept; `pilot state --model best` says which that is. What came
after is kept as a branch, never deleted: it stays in `pilot history --branch NAME` and can be forked from.)";

inline constexpr char kRewindFooter[] = R"(Examples:
  pilot rewind digits 4000
  pilot rewind digits best
  pilot rewind 4000 --branch eta-too-high --note "diverged soon after")";

inline constexpr char kForkText[] =
    R"(Start a new run from any batch of another
The new run begins as the other was after that batch, with what is said here changed. The other run is not touched and
may train on; it may also have ended. Eta follows the schedule if it does so there and --eta does not set it.)";

inline constexpr char kForkFooter[] = R"(Examples:
  Try a lower learning rate from batch 4,000 on, beside the run itself:
    pilot fork digits --at 4000 --eta 0.003 --batch-to 8000
  Go on from the batch whose parameters are the best that were kept, with the optimizer as it was then:
    pilot fork digits --at best --batch-to +1000
  100 batches more, from where the run is:
    pilot fork digits --batch-to +100
  Go on from the end of what a rewind left behind, with another order of the examples:
    pilot fork digits --branch rewind-1 --seed 7 --name digits-again
  Go on without early stopping, and validate more often:
    pilot fork digits --detach early-stopping --detach validate --plugin 'each(20) validate')";

inline constexpr char kReplayText[] =
    R"(Train a run again and compare every bit
Runs what the run was started from and its journal again, on this machine and without the service, as fast as it goes,
and compares every loss, state vector and checkpoint with what was recorded. Says through which batch they are
identical, or where they differ first. RUN is a run of a service on this machine; DIRECTORY, a word with a / in it or a
folder here that holds run.db, is a run's directory, copied from anywhere.)";

inline constexpr char kReplayFooter[] = R"(Examples:
  pilot replay digits
  pilot replay ./digits --through 4000 --data digits.csv
  pilot replay ./xor --data x.npy --data y.npy

The work is done by pilothouse-trainer, whose exit code is passed on: 0 identical, 1 different, 2 wrong usage, 3 the run
cannot be gone through. It is looked for at PILOTHOUSE_TRAINER, beside pilot, and in PATH.)";

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_LINEAGE_HELP_TEXT_H_
