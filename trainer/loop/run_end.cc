#include "trainer/loop/run_end.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/log.h"
#include "trainer/checkpoint/atomic_file.h"

namespace pilothouse::trainer {
namespace {

const char* NameOf(RunStatus status) {
  switch (status) {
    case RunStatus::kCompleted:
      return "COMPLETED";
    case RunStatus::kFailed:
      return "FAILED";
    default:
      return "STOPPED";
  }
}

}  // namespace

void WriteRunEnd(const std::string& directory, const RunEnd& end) {
  nlohmann::json json = {{"status", NameOf(end.status)}, {"message", end.message}, {"batch", end.batch}};
  json["loss"] = std::isfinite(end.loss) ? nlohmann::json(end.loss) : nlohmann::json(nullptr);
  // A message may hold whatever a file's name holds.
  const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const absl::Status written =
      WriteFileAtomically(absl::StrCat(directory, "/", kRunEndFile), {absl::string_view(text)});
  if (!written.ok()) Log(absl::StrCat("how the run ended could not be written: ", written.message()));
}

}  // namespace pilothouse::trainer
