// Other programs of Pilothouse that do the work of a command.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAMS_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAMS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace pilothouse::client {

// What PILOTHOUSE_TRAINER says, or the one beside this program, or the name alone, to be looked for in PATH.
std::string TrainerProgram();
// What PILOTHOUSE_PYTHON says, or "python3".
std::string PythonProgram();

// Whether it runs and has the package pilothouse. NOT_FOUND, without a reason, says what to install.
absl::Status CheckPythonPackage(const std::string& python);

// Becomes that program, with its output, its signals and its exit code: returns only where it cannot be run. No shell
// sees the words. Errors have no reason.
absl::Status Become(const std::vector<std::string>& command);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAMS_H_
