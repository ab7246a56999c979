#include "trainer/program/replay_command.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/replay/replay.h"
#include "trainer/replay/replay_result.h"

namespace pilothouse::trainer {

const char kReplayHelp[] =
    R"(  --replay DIRECTORY        go through the run in this directory again, from its journal alone, and compare every loss,
                            state and checkpoint with it, bit for bit
    --data FILE             the run's data: a table, or, given again, arrays: inputs, targets, weights
    --data-dir DIRECTORY    the service's folder of data (default: the one that DIRECTORY lies in, as runs/RUN_ID)
    --through N             leave out what came after batch N
    --json                  say what was found as one JSON object
)";

namespace {

constexpr int kExitIdentical = 0;
constexpr int kExitDifferent = 1;
constexpr int kExitUsage = 2;
constexpr int kExitFailed = 3;
constexpr size_t kMostFiles = 3;

struct Arguments {
  ReplayOptions options;
  bool json = false;
};

// Returns what is wrong, or nothing.
std::optional<std::string> Set(const std::string& option, const std::string& value, Arguments& arguments) {
  ReplayOptions& options = arguments.options;
  if (option == kReplayOption) {
    options.directory = value;
  } else if (option == "--data-dir") {
    options.data_directory = value;
  } else if (option == "--data") {
    options.data.push_back(value);
    if (options.data.size() > kMostFiles)
      return "--data is given once, for a table, or for arrays: inputs, targets and perhaps weights";
  } else if (!absl::SimpleAtoi(value, &options.through) || options.through < 0) {
    return absl::StrCat("--through takes a batch, 0 or more, not ", value);
  }
  return std::nullopt;
}

std::optional<std::string> Parse(const std::vector<std::string>& words, Arguments& arguments) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& option = words[i];
    if (option == "--json") {
      arguments.json = true;
      continue;
    }
    if (option != kReplayOption && option != "--data" && option != "--data-dir" && option != "--through") {
      return absl::StrCat("unknown argument ", option);
    }
    if (i + 1 == words.size()) return absl::StrCat(option, " needs a value");
    if (std::optional<std::string> wrong = Set(option, words[++i], arguments)) return wrong;
  }
  if (arguments.options.directory.empty()) return "--replay needs the directory of a run";
  return std::nullopt;
}

int PrintError(const absl::Status& error, bool json, std::ostream& err) {
  const std::string reason = ReasonName(ReasonOf(error));
  const std::string message(error.message());
  if (json) {
    const nlohmann::json object = {{"error", {{"reason", reason}, {"message", message}}}};
    err << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    err << "pilothouse-trainer: " << message << " [" << reason << "]\n";
  }
  return kExitFailed;
}

}  // namespace

int ReplayCommand(const std::vector<std::string>& words, std::ostream& out, std::ostream& err) {
  Arguments arguments;
  if (const std::optional<std::string> wrong = Parse(words, arguments)) {
    err << "pilothouse-trainer: " << *wrong << "\nTry pilothouse-trainer --help.\n";
    return kExitUsage;
  }
  const absl::StatusOr<ReplayResult> result = Replay(arguments.options);
  if (!result.ok()) return PrintError(result.status(), arguments.json, err);
  out << (arguments.json ? ToJson(*result) + "\n" : ToText(*result)) << std::flush;
  return result->difference.has_value() ? kExitDifferent : kExitIdentical;
}

}  // namespace pilothouse::trainer
