// `pilothouse-trainer --replay DIRECTORY`: goes through a run again and says whether it is the same.
#ifndef PILOTHOUSE_TRAINER_PROGRAM_REPLAY_COMMAND_H_
#define PILOTHOUSE_TRAINER_PROGRAM_REPLAY_COMMAND_H_

#include <iosfwd>
#include <string>
#include <vector>

namespace pilothouse::trainer {

inline constexpr char kReplayOption[] = "--replay";

// What --help says about it.
extern const char kReplayHelp[];

// `words` are the command line's. What was found goes to `out`, why nothing was found to `err`. Returns the exit code:
// 0 identical, 1 not, 2 usage, 3 the run cannot be gone through.
int ReplayCommand(const std::vector<std::string>& words, std::ostream& out, std::ostream& err);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PROGRAM_REPLAY_COMMAND_H_
