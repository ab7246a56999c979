// The grammar of the command line: what `pilot` understands, and its help.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_COMMAND_LINE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_COMMAND_LINE_H_

#include <string>
#include <variant>
#include <vector>

#include "clients/cpp/pilot/arguments.h"

namespace pilothouse::client {

// The command line asked for text instead of a command (--help, --version), or was wrong.
struct ParseExit {
  int exit_code;
  // For standard output where exit_code is kExitSuccess; otherwise the sentence of a usage error, without "pilot:".
  std::string text;
};

// `words`: the command line after the program's name. Reads PILOTHOUSE_ADDRESS where no address is given.
std::variant<Arguments, ParseExit> ParseCommandLine(const std::vector<std::string>& words);

// For completion.
struct OptionInfo {
  // "--eta".
  std::string name;
  bool takes_value;
};
// The commands below a command: of "plugin", "add" and others. Empty: all that stand first.
std::vector<std::string> CommandNames(const std::string& command = "");
// Of a command ("start", "plugin add"), and the global ones. An unknown command has only the global ones.
std::vector<OptionInfo> OptionsOf(const std::string& command);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_COMMAND_LINE_H_
