#include "proto/journal/unrecorded.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/journal/checksum.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

constexpr size_t kChecksumLine = 9;

std::string ChecksumLine(absl::string_view message) { return absl::StrFormat("%08x\n", Checksum({}, {message})); }

}  // namespace

std::string PackUnrecorded(const v1::Reports& reports) {
  const std::string message = reports.SerializeAsString();
  return absl::StrCat(ChecksumLine(message), message);
}

absl::StatusOr<v1::Reports> UnpackUnrecorded(absl::string_view content) {
  v1::Reports reports;
  const absl::string_view message = content.substr(std::min(kChecksumLine, content.size()));
  const bool whole = content.size() >= kChecksumLine && content.substr(0, kChecksumLine) == ChecksumLine(message);
  if (whole && reports.ParseFromArray(message.data(), static_cast<int>(message.size()))) return reports;
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The file ", kUnrecordedFile,
                                ", in which the trainer had kept what no service was there for, is damaged."),
                   {{"file", kUnrecordedFile}});
}

}  // namespace pilothouse
