#include "trainer/data/zip_member_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "proto/support/error.h"
#include "trainer/data/temporary_file.h"

namespace pilothouse::trainer {
namespace {

std::string Bytes(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(i * i % 251);
  return bytes;
}

std::string Deflated(const std::string& bytes) {
  // compress() writes what ZIP has not: a header of two bytes, and a checksum of four behind.
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string packed(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                     static_cast<uLong>(bytes.size())),
            Z_OK);
  return packed.substr(2, size - 6);
}

// What a call gives whose pieces are smaller than what it asks for, and what the next one does.
TEST(ZipMemberReader, ReadsMoreAtOnceThanZlibDoes) {
  const std::string bytes = Bytes(100);
  for (const bool deflated : {false, true}) {
    const std::string packed = deflated ? Deflated(bytes) : bytes;
    const TemporaryFile stored("before" + packed);
    ZipMember member{.name = "a", .deflated = deflated};
    member.packed_bytes = static_cast<int64_t>(packed.size());
    member.bytes = static_cast<int64_t>(bytes.size());
    member.crc = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), 100));
    for (const int64_t piece_bytes : {1, 7, 70, 80, 100, 1000}) {
      auto file = InputFile::Open(stored.path());
      ASSERT_TRUE(file.ok()) << file.status();
      const auto reader = MakeZipMemberReader(*file, member, 6, piece_bytes);
      ASSERT_TRUE(reader.ok()) << reader.status();
      std::string got(120, '?');
      EXPECT_EQ(*(*reader)->Read(got.data(), 70), 70) << piece_bytes;
      EXPECT_EQ((*reader)->position(), 70);
      EXPECT_EQ(*(*reader)->Read(got.data() + 70, 50), 30) << piece_bytes;
      EXPECT_EQ(got, bytes + std::string(20, '?')) << piece_bytes;
      EXPECT_EQ(*(*reader)->Read(got.data(), 50), 0) << "nothing is left";
    }
    member.crc ^= 1;
    auto file = InputFile::Open(stored.path());
    const auto reader = MakeZipMemberReader(*file, member, 6, 7);
    std::string got(100, '?');
    EXPECT_TRUE((*reader)->Read(got.data(), 99).ok());
    EXPECT_EQ(ReasonOf((*reader)->Read(got.data(), 99).status()), v1::ERROR_REASON_DATA_MALFORMED);
  }
}

}  // namespace
}  // namespace pilothouse::trainer
