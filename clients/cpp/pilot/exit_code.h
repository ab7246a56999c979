// What the shell sees. Documented in `pilot --help`; scripts rely on these.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_EXIT_CODE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_EXIT_CODE_H_

namespace pilothouse::client {

inline constexpr int kExitSuccess = 0;
// The service said no.
inline constexpr int kExitRefused = 1;
// The command line is wrong, or a local file it names cannot be read.
inline constexpr int kExitUsage = 2;
// Nothing answers.
inline constexpr int kExitUnreachable = 3;
// The watched run FAILED.
inline constexpr int kExitRunFailed = 4;
// Ctrl-C.
inline constexpr int kExitInterrupted = 130;

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_EXIT_CODE_H_
