// How plugins are written on a command line, by the one grammar of `--plugin 'SPEC'` and `pilot plugin add`:
//
//   [SCHEDULE] KIND [name=value …]        each(100) save-best metric=validation_loss
//
// A word is the beginning of a schedule if it holds "(", "&" or "|" but no "=", begins with "~", is "always" or
// "never", or is the name of a set that is followed by "(". The schedule goes on while parentheses are open, and over
// operators: each(10) & ~at(20, 30) needs no quotes of its own. What it means is for the service to say.
//
// timeline, point, priority, name, required, allowance and max_failures are the plugin's own; every other name is a
// setting of its kind.
//
// Everything here refuses with INVALID_ARGUMENT and a sentence that says what is right. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_GRAMMAR_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_GRAMMAR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/plugin.pb.h"

namespace pilothouse::client {

// The words of a line, as a shell splits it: '…' is taken as it is, "…" too but for \" and \\, and outside of quotes a
// backslash makes the next character an ordinary one.
absl::StatusOr<std::vector<std::string>> SplitWords(absl::string_view line);

// Sets what is the plugin's own. Refused: another name, a value that does not fit, and what is set already.
absl::Status SetPluginOption(const std::string& name, const std::string& value, v1::PluginSpec& spec);

absl::StatusOr<v1::PluginSpec> ParsePluginSpec(const std::string& text);
// [RUN] before the rest. Adds to `spec`, in which options may be set already. Returns the run; empty: not given.
absl::StatusOr<std::string> ParsePluginWords(const std::vector<std::string>& words, v1::PluginSpec& spec);

struct ScheduleWords {
  // Empty: not given.
  std::string run;
  std::string name;
  std::string schedule;
};
// [RUN] NAME SCHEDULE.
absl::StatusOr<ScheduleWords> ParseScheduleWords(const std::vector<std::string>& words);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_GRAMMAR_H_
