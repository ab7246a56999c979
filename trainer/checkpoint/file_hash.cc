#include "trainer/checkpoint/file_hash.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr size_t kPieceBytes = 1 << 16;

absl::Status Unreadable(const std::string& path) {
  return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "", absl::StrCat("The file ", path, " cannot be read."),
                   {{"file", path}});
}

}  // namespace

absl::StatusOr<std::string> FileHash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::array<char, kPieceBytes> piece;
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    EVP_DigestUpdate(context.get(), piece.data(), static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) return Unreadable(path);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

}  // namespace pilothouse::trainer
