#include "trainer/checkpoint/file_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

// The first two values are those of FIPS 180-4's examples.
TEST(FileHash, IsTheSha256OfTheContent) {
  const std::string path = absl::StrCat(testing::TempDir(), "/file-hash-", getpid());
  std::ofstream(path) << "abc";
  EXPECT_EQ(*FileHash(path), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::ofstream(path, std::ios::trunc) << "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(*FileHash(path), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  std::ofstream(path, std::ios::trunc) << std::string(1'000'000, 'a');
  EXPECT_EQ(*FileHash(path), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::filesystem::remove(path);
}

TEST(FileHash, SaysThatAFileIsMissing) {
  EXPECT_EQ(ReasonOf(FileHash("/nowhere/at/all").status()), v1::ERROR_REASON_FILE_NOT_FOUND);
}

}  // namespace
}  // namespace pilothouse::trainer
