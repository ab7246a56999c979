#include "service/runs/left_reports.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proto/journal/unrecorded.h"
#include "proto/support/error.h"
#include "service/journal/set_aside.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

fs::path PathIn(const std::string& directory) { return fs::path(directory) / kUnrecordedFile; }

absl::Status Unreadable(const std::string& why) {
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The file ", kUnrecordedFile, ", in which the trainer had kept what no service was ",
                                "there for, cannot be read: ", why, ". The run goes on when it can."),
                   {{"file", kUnrecordedFile}});
}

absl::Status JournalIsShort(uint64_t last_report, const v1::Reports& left) {
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "",
      absl::StrCat("The journal has lost what its trainer had reported before it was alone (reports ", last_report + 1,
                   " to ", left.reports(0).number() - 1, "). What it reported after that, up to batch ",
                   left.reports(left.reports_size() - 1).event().batch(), ", does not follow from the journal and is ",
                   "kept in a file named ", kUnrecordedFile, ".damaged-N."),
      {{"file", kUnrecordedFile}});
}

}  // namespace

absl::StatusOr<v1::Reports> ReadLeftReports(const std::string& directory, uint64_t last_report) {
  std::error_code error;
  const auto size = fs::file_size(PathIn(directory), error);
  if (error == std::errc::no_such_file_or_directory) return v1::Reports();
  if (error) return Unreadable(error.message());
  // Too large to be what a trainer wrote.
  if (size > static_cast<uint64_t>(kMaxUnrecordedBytes)) return UnpackUnrecorded("");
  std::string content(size, '\0');
  std::ifstream file(PathIn(directory), std::ios::binary);
  file.read(content.data(), static_cast<std::streamsize>(size));
  if (!file) return Unreadable("it cannot be opened or read to its end");
  absl::StatusOr<v1::Reports> left = UnpackUnrecorded(content);
  if (!left.ok() || left->reports_size() == 0 || left->reports(0).number() <= last_report + 1) return left;
  return JournalIsShort(last_report, *left);
}

void RemoveLeftReports(const std::string& directory) {
  // If it stays, nothing is lost: what it holds is known by its numbers.
  std::error_code ignored;
  fs::remove(PathIn(directory), ignored);
}

absl::Status SetLeftReportsAside(const std::string& directory) {
  std::error_code error;
  fs::rename(PathIn(directory), KeptName(PathIn(directory).string()), error);
  return error ? CannotSetAside(PathIn(directory).string(), error.message()) : absl::OkStatus();
}

}  // namespace pilothouse::service
