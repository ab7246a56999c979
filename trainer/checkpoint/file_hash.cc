#include "trainer/checkpoint/file_hash.h"

#include <array>
#include <cstddef>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/sha256.h"

namespace pilothouse::trainer {
namespace {

constexpr size_t kPieceBytes = 1 << 16;

absl::Status Unreadable(const std::string& path) {
  return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "", absl::StrCat("The file ", path, " cannot be read."),
                   {{"file", path}});
}

absl::Status AddFile(const std::string& path, Sha256& hash) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path);
  std::array<char, kPieceBytes> piece;
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    hash.Add(absl::string_view(piece.data(), static_cast<size_t>(file.gcount())));
  }
  return file.bad() ? Unreadable(path) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FileHash(const std::string& path) { return FilesHash({path}); }

absl::StatusOr<std::string> FilesHash(absl::Span<const std::string> paths) {
  Sha256 hash;
  for (const std::string& path : paths) {
    if (absl::Status added = AddFile(path, hash); !added.ok()) return added;
  }
  return hash.Finish();
}

}  // namespace pilothouse::trainer
