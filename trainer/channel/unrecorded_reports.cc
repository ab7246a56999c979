#include "trainer/channel/unrecorded_reports.h"

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/journal/unrecorded.h"
#include "proto/support/log.h"
#include "trainer/channel/messages.h"
#include "trainer/checkpoint/atomic_file.h"

namespace pilothouse::trainer {
namespace {

std::string PathIn(const std::string& directory) { return absl::StrCat(directory, "/", kUnrecordedFile); }

absl::Status Write(const std::string& path, const std::vector<NumberedReport>& reports) {
  v1::Reports message;
  for (const NumberedReport& report : reports) *message.add_reports() = ToMessage(report);
  const std::string content = PackUnrecorded(message);
  if (static_cast<int64_t>(content.size()) > kMaxUnrecordedBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("It would take more than ", kMaxUnrecordedBytes, " bytes."));
  }
  return WriteFileAtomically(path, {absl::string_view(content)});
}

}  // namespace

void UnrecordedReports::Keep(const std::string& directory, bool ending) {
  MutexLock lock(mutex_);
  const std::vector<NumberedReport> reports = outbox_.ToKeep(ending);
  if (reports.empty()) return;
  if (absl::Status written = Write(PathIn(directory), reports); !written.ok()) {
    Log(absl::StrCat("what no service was told could not be kept: ", written.message()));
  }
}

void UnrecordedReports::Forget(const std::string& directory) {
  MutexLock lock(mutex_);
  std::error_code ignored;
  std::filesystem::remove(PathIn(directory), ignored);
}

}  // namespace pilothouse::trainer
