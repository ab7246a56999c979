// Completion of the command line in a shell.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_COMPLETION_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_COMPLETION_H_

#include <functional>
#include <string>
#include <vector>

namespace pilothouse::client {

// Where the scripts send the words: `pilot __complete WORD…`, the last of which is being typed.
inline constexpr char kCompleteCommand[] = "__complete";
// The answer that stands for "files".
inline constexpr char kCompleteFiles[] = ":files";

// The script for bash, zsh or fish.
std::string CompletionScript(const std::string& shell);

// What the last word may become. `run_ids` is called only where a run fits, with the address the words give (or none).
std::vector<std::string> Complete(const std::vector<std::string>& words,
                                  const std::function<std::vector<std::string>(const std::string&)>& run_ids);

// Ids of the newest runs at the address (or at the usual one); none if it does not answer within a second.
std::vector<std::string> FetchRunIds(const std::string& address);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_COMPLETION_H_
