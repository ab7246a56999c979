#include "trainer/checkpoint/file_content.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <new>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

absl::Status Refuse(v1::ErrorReason reason, const std::string& path, absl::string_view why) {
  return MakeError(reason, "", absl::StrCat("The file ", path, " ", why, "."), {{"file", path}});
}

}  // namespace

absl::StatusOr<FileContent> ReadFileContent(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) return Refuse(v1::ERROR_REASON_FILE_NOT_FOUND, path, "cannot be opened");
  // Not filled with zeros first: checkpoints are large.
  const std::shared_ptr<char[]> bytes(new (std::nothrow) char[size]);
  if (bytes == nullptr) return Refuse(v1::ERROR_REASON_DATA_MALFORMED, path, "does not fit into memory");
  stream.read(bytes.get(), static_cast<std::streamsize>(size));
  if (!stream) return Refuse(v1::ERROR_REASON_DATA_MALFORMED, path, "cannot be read to its end");
  return FileContent{absl::string_view(bytes.get(), size), bytes};
}

}  // namespace pilothouse::trainer
