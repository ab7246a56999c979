// Test support: command lines as arguments, refusals and help. Lines are split at their spaces.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PARSE_LINE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PARSE_LINE_H_

#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilot/exit_code.h"

namespace pilothouse::client {

inline Arguments Parse(const std::string& line) {
  const auto parsed = ParseCommandLine(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  if (const auto* const arguments = std::get_if<Arguments>(&parsed)) return *arguments;
  ADD_FAILURE() << line << ": " << std::get<ParseExit>(parsed).text;
  return {};
}

// The sentence with which the line is refused as wrong usage.
inline std::string Refusal(const std::string& line) {
  const auto parsed = ParseCommandLine(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  const auto* const exit = std::get_if<ParseExit>(&parsed);
  if (exit == nullptr || exit->exit_code != kExitUsage) {
    ADD_FAILURE() << line << " was not refused";
    return "";
  }
  return exit->text;
}

inline std::string Help(const std::string& line) {
  const auto parsed = ParseCommandLine(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  const auto* const exit = std::get_if<ParseExit>(&parsed);
  return exit != nullptr && exit->exit_code == kExitSuccess ? exit->text : "";
}

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PARSE_LINE_H_
