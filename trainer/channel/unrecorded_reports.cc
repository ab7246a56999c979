#include "trainer/channel/unrecorded_reports.h"

#include <cstdint>
#include <exception>
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
  try {
    v1::Reports message;
    for (const NumberedReport& report : reports) *message.add_reports() = ToMessage(report);
    const std::string content = PackUnrecorded(message);
    if (static_cast<int64_t>(content.size()) > kMaxUnrecordedBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("It would take more than ", kMaxUnrecordedBytes, " bytes."));
    }
    return WriteFileAtomically(path, {absl::string_view(content)});
  } catch (const std::exception& error) {
    // No memory, say: no reason for training to end.
    return absl::ResourceExhaustedError(error.what());
  }
}

}  // namespace

void UnrecordedReports::Keep(const std::string& directory, bool ending) {
  MutexLock lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  if (begin < not_before_ && !ending) return;
  const std::vector<NumberedReport> reports = outbox_.ToKeep(ending);
  if (reports.empty()) return;
  const absl::Status written = Write(PathIn(directory), reports);
  const auto end = std::chrono::steady_clock::now();
  not_before_ = end + kKeepingPauses * (end - begin);
  if (written.ok()) return outbox_.Kept();
  Log(absl::StrCat("what no service was told could not be kept: ", written.message()));
  not_before_ = end + kKeepAgainAfter;
  outbox_.NotKept();
}

void UnrecordedReports::Forget(const std::string& directory) {
  MutexLock lock(mutex_);
  outbox_.KeptNoMore();
  std::error_code error;
  std::filesystem::remove(PathIn(directory), error);
  if (error) Log(absl::StrCat(kUnrecordedFile, " could not be removed: ", error.message()));
}

}  // namespace pilothouse::trainer
