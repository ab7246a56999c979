#include "trainer/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy_header.h"
#include "trainer/data/table_values.h"
#include "trainer/data/temporary_file.h"

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string WithHeader(const std::string& header, const std::string& data, int version = 1) {
  const auto length = static_cast<uint32_t>(header.size());
  std::string length_bytes(version == 1 ? 2 : 4, '\0');
  std::memcpy(length_bytes.data(), &length, length_bytes.size());
  return absl::StrCat(kNpyMagic, std::string{static_cast<char>(version), '\0'}, length_bytes, header, data);
}

std::string Npy(const std::string& type, const std::string& shape, const std::string& data,
                const std::string& fortran = "False", int version = 1) {
  return WithHeader(
      absl::StrCat("{'descr': '", type, "', 'fortran_order': ", fortran, ", 'shape': ", shape, ", }          \n"), data,
      version);
}

// Reads twice, into memory and mapped, and expects the same.
absl::StatusOr<NumberTable> ReadArray(const std::string& bytes, int least_dimensions = 1) {
  const TemporaryFile file(bytes);
  const auto read = [&](int64_t least_mapped_bytes) -> absl::StatusOr<NumberTable> {
    absl::StatusOr<InputFile> input = InputFile::Open(file.path());
    if (!input.ok()) return input.status();
    return ReadNpyArray(*input, "inputs", least_dimensions, least_mapped_bytes);
  };
  absl::StatusOr<NumberTable> in_memory = read(kLeastMappedBytes);
  const absl::StatusOr<NumberTable> mapped = read(0);
  EXPECT_EQ(mapped.ok(), in_memory.ok());
  EXPECT_EQ(mapped.status().message(), in_memory.status().message());
  if (!mapped.ok() || !in_memory.ok()) return in_memory;
  EXPECT_FALSE(in_memory->stored->mapped);
  EXPECT_EQ(mapped->stored->type, in_memory->stored->type);
  EXPECT_EQ(mapped->stored->largest, in_memory->stored->largest);
  EXPECT_EQ(Values(*mapped), Values(*in_memory));
  return in_memory;
}

TEST(Npy, ReadsEveryElementType) {
  const std::vector<std::string> files = {
      Npy("<f4", "(3,)", Bytes<float>({1, 0, 100})),    Npy("<f8", "(3,)", Bytes<double>({1, 0, 100})),
      Npy("|i1", "(3,)", Bytes<int8_t>({1, 0, 100})),   Npy("<i2", "(3,)", Bytes<int16_t>({1, 0, 100})),
      Npy("<i4", "(3,)", Bytes<int32_t>({1, 0, 100})),  Npy("<i8", "(3,)", Bytes<int64_t>({1, 0, 100})),
      Npy("|u1", "(3,)", Bytes<uint8_t>({1, 0, 100})),  Npy("<u2", "(3,)", Bytes<uint16_t>({1, 0, 100})),
      Npy("<u4", "(3,)", Bytes<uint32_t>({1, 0, 100})), Npy("<u8", "(3,)", Bytes<uint64_t>({1, 0, 100})),
  };
  for (const std::string& file : files) {
    const auto table = ReadArray(file);
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ(table->columns, 1);
    EXPECT_THAT(Values(*table), ElementsAre(1, 0, 100));
  }
  EXPECT_THAT(Values(*ReadArray(Npy("|b1", "(3,)", Bytes<uint8_t>({1, 0, 1})))), ElementsAre(1, 0, 1));
  EXPECT_THAT(Values(*ReadArray(Npy("|i1", "(1,)", "\xff"))), ElementsAre(-1));
}

TEST(Npy, ReadsBothOrdersAndAllVersions) {
  for (int version = 1; version <= 3; ++version) {
    const auto c = ReadArray(Npy("<f8", "(2, 3)", Bytes<double>({1, 2, 3, 4, 5, 6}), "False", version));
    ASSERT_TRUE(c.ok()) << c.status();
    EXPECT_EQ(c->rows, 2);
    EXPECT_THAT(Values(*c), ElementsAre(1, 2, 3, 4, 5, 6));
    const auto fortran = ReadArray(Npy("<f8", "(2, 3)", Bytes<double>({1, 4, 2, 5, 3, 6}), "True", version));
    ASSERT_TRUE(fortran.ok()) << fortran.status();
    EXPECT_THAT(Values(*fortran), ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST(Npy, ReadsMoreThanOneBlock) {
  std::vector<float> values(80'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const auto table = ReadArray(Npy("<f4", "(40000, 2)", Bytes(values)));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(Values(*table), std::vector<double>(values.begin(), values.end()));
}

TEST(Npy, MapsLargeArraysAndKeepsTheirType) {
  const TemporaryFile file(Npy("<i2", "(2, 3)", Bytes<int16_t>({1, 2, 3, 4, 5, -6})));
  absl::StatusOr<InputFile> input = InputFile::Open(file.path());
  ASSERT_TRUE(input.ok()) << input.status();
  const auto table = ReadNpyArray(*input, "inputs", 2, /*least_mapped_bytes=*/12);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_TRUE(table->stored->mapped);
  EXPECT_EQ(table->stored->type, ElementType::kInt16);
  input->Rewind();
  EXPECT_FALSE(ReadNpyArray(*input, "inputs", 2, /*least_mapped_bytes=*/13)->stored->mapped);
  // The elements outlive both the file and what was opened.
  std::remove(file.path().c_str());
  input = absl::CancelledError();
  EXPECT_EQ(table->At(1, 2), -6);
}

TEST(Npy, TurnsFortransOrderRoundInMemoryHoweverLarge) {
  const TemporaryFile file(Npy("<f8", "(2, 3)", Bytes<double>({1, 4, 2, 5, 3, 6}), "True"));
  absl::StatusOr<InputFile> input = InputFile::Open(file.path());
  ASSERT_TRUE(input.ok()) << input.status();
  const auto table = ReadNpyArray(*input, "inputs", 2, /*least_mapped_bytes=*/0);
  EXPECT_FALSE(table->stored->mapped);
  EXPECT_THAT(Values(*table), ElementsAre(1, 2, 3, 4, 5, 6));
  // Of one column, both orders are the same.
  const TemporaryFile column(Npy("<f8", "(3,)", Bytes<double>({1, 4, 2}), "True"));
  absl::StatusOr<InputFile> other = InputFile::Open(column.path());
  EXPECT_TRUE(ReadNpyArray(*other, "targets", 1, /*least_mapped_bytes=*/0)->stored->mapped);
}

TEST(Npy, KnowsTheLargestMagnitude) {
  EXPECT_EQ(ReadArray(Npy("<f8", "(3,)", Bytes<double>({1, -1e300, 2})))->stored->largest, 1e300);
  EXPECT_EQ(ReadArray(Npy("<f4", "(3,)", Bytes<float>({0, 0.5, 0})))->stored->largest, 0.5);
  EXPECT_GE(ReadArray(Npy("<u8", "(1,)", Bytes<uint64_t>({UINT64_MAX})))->stored->largest, 18446744073709551615.0);
}

TEST(Npy, AFileThatChangesWhileItIsReadIsRefused) {
  const std::string bytes = Npy("<f8", "(9000, 1)", Bytes(std::vector<double>(9000, 1)));
  for (const int64_t least_mapped_bytes : {int64_t{0}, kLeastMappedBytes}) {
    const TemporaryFile file(bytes);
    absl::StatusOr<InputFile> input = InputFile::Open(file.path());
    ASSERT_EQ(truncate(file.path().c_str(), static_cast<off_t>(bytes.size() - 1)), 0);
    const auto table = ReadNpyArray(*input, "inputs", 2, least_mapped_bytes);
    ASSERT_EQ(ReasonOf(table.status()), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_THAT(ToError(table.status()).message(), HasSubstr("changed while it was read"));
  }
}

TEST(Npy, ATableIsSplitByColumnNumber) {
  const TemporaryFile file(Npy("<f4", "(2, 3)", Bytes<float>({1, 2, 3, 4, 5, 6})));
  const auto data = ReadTable(file.path(), {{"1"}});
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(Values(data->inputs), ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(Values(data->targets), ElementsAre(1, 4));
  EXPECT_EQ(ReasonOf(ReadTable(file.path(), {{"4"}}).status()), v1::ERROR_REASON_COLUMN_NOT_FOUND);
}

TEST(Npy, TakesHeadersAsOtherProgramsWriteThem) {
  const std::string data = Bytes<float>({1, 2});
  for (const std::string header : {"{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,)}",
                                   "{'shape': (2L,), 'fortran_order': False, 'descr': '<f4'}\n",
                                   "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 1 ) , }  "}) {
    EXPECT_TRUE(ReadArray(WithHeader(header, data)).ok()) << header;
  }
}

TEST(Npy, RefusesShapesAndTypes) {
  const struct {
    std::string file;
    v1::ErrorReason reason;
  } cases[] = {
      {Npy("<f4", "()", Bytes<float>({1})), v1::ERROR_REASON_ARRAY_SHAPE_INVALID},
      {Npy("<f4", "(1, 1, 1)", Bytes<float>({1})), v1::ERROR_REASON_ARRAY_SHAPE_INVALID},
      {Npy("<f4", "(1,)", Bytes<float>({1})), v1::ERROR_REASON_ARRAY_SHAPE_INVALID},
      {Npy("<f4", "(1, 0)", ""), v1::ERROR_REASON_ARRAY_SHAPE_INVALID},
      {Npy("<f4", "(9000000000000000000, 0)", ""), v1::ERROR_REASON_ARRAY_SHAPE_INVALID},
      {Npy("<f4", "(0, 3)", ""), v1::ERROR_REASON_DATA_MALFORMED},
      {Npy(">f4", "(1, 1)", Bytes<float>({1})), v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
      {Npy("<f2", "(1, 1)", "12"), v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
      {Npy("<c8", "(1, 1)", "12345678"), v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
      {Npy("|O", "(1, 1)", "12345678"), v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
      {Npy("<U1\xff", "(1, 1)", "1234"), v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
      {WithHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }", "1234"),
       v1::ERROR_REASON_ARRAY_DTYPE_INVALID},
  };
  for (const auto& [file, reason] : cases) EXPECT_EQ(ReasonOf(ReadArray(file, 2).status()), reason) << file;
}

TEST(Npy, RefusesLiesAboutItsSizeBeforeItAllocates) {
  const std::string data = Bytes<double>({1, 2, 3, 4});
  for (const std::string shape : {"(5, 1)", "(3, 1)", "(4, 2)", "(1000000000000, 1)", "(4294967296, 4294967296)",
                                  "(9223372036854775807, 9223372036854775807)", "(2305843009213693952, 8)",
                                  "(9223372036854775808, 1)", "(99999999999999999999, 1)", "(-4, 1)", "(4, -1)"}) {
    EXPECT_EQ(ReasonOf(ReadArray(Npy("<f8", shape, data)).status()), v1::ERROR_REASON_DATA_MALFORMED) << shape;
  }
}

TEST(Npy, HeadersAreWrittenAsNumPyWritesThem) {
  // numpy.save() of numpy.zeros((3, 4)), less its elements.
  const std::string text = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }";
  EXPECT_EQ(NpyHeaderOfFloat64(3, 4), absl::StrCat(kNpyMagic, std::string("\x01\x00v\x00", 4), text,
                                                   std::string(118 - 1 - text.size(), ' '), "\n"));
  for (int64_t rows = 1; rows < int64_t{1} << 40; rows *= 7) {
    const std::string header = NpyHeaderOfFloat64(rows, 131072);
    EXPECT_EQ(static_cast<int64_t>(header.size()) % kNpyAlignment, 0) << rows;
    const TemporaryFile file(header);
    absl::StatusOr<InputFile> input = InputFile::Open(file.path());
    const absl::StatusOr<NpyHeader> read = ReadNpyHeader(*input);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->element_type, "<f8");
    EXPECT_FALSE(read->fortran_order);
    EXPECT_THAT(read->shape, ElementsAre(rows, 131072));
    EXPECT_EQ(input->position(), static_cast<int64_t>(header.size()));
  }
}

TEST(Npy, RefusesDamagedHeaders) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }";
  std::string other_magic = WithHeader(good, "1234");
  other_magic[1] = 'X';
  std::string long_header = WithHeader(good, "1234", 2);
  long_header[11] = '\x7f';
  const std::string files[] = {
      other_magic,
      long_header,
      WithHeader(good, "1234", 4),
      WithHeader("", "1234"),
      WithHeader("{", "1234"),
      WithHeader("{}", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': False, }", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 1)}", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': False, 'shape': [1, 1]}", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", "1234"),
      WithHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), 'x': 1}", "1234"),
      WithHeader("{'descr': '<f4, 'fortran_order': False, 'shape': (1, 1)}", "1234"),
      WithHeader("{'descr': '', 'fortran_order': False, 'shape': (1, 1)}", "1234"),
      WithHeader(good + "}", "1234"),
  };
  for (const std::string& file : files) {
    EXPECT_EQ(ReasonOf(ReadArray(file).status()), v1::ERROR_REASON_DATA_MALFORMED) << file;
  }
}

TEST(Npy, SaysTheRowAndColumnOfANumberThatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string files[] = {Npy("<f8", "(2, 3)", Bytes<double>({1, 2, 3, 4, 5, nan})),
                               Npy("<f8", "(2, 3)", Bytes<double>({1, 2, 3, 4, 5, infinity}), "True")};
  for (const std::string& file : files) {
    const auto table = ReadArray(file);
    ASSERT_EQ(ReasonOf(table.status()), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(ToError(table.status()).metadata().at("line"), "2");
    EXPECT_EQ(ToError(table.status()).metadata().at("column"), "3");
    EXPECT_THAT(ToError(table.status()).message(), HasSubstr("Row 2, column 3 of the inputs"));
  }
}

TEST(Npy, SurvivesEveryTruncationAndEveryChangedByte) {
  const std::string good = Npy("<f4", "(2, 3)", Bytes<float>({1, 2, 3, 4, 5, 6}));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(ReadArray(good.substr(0, length)).ok()) << length;
  }
  uint64_t random = 1;
  for (size_t position = 0; position < good.size(); ++position) {
    for (int i = 0; i < 8; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      std::string damaged = good;
      damaged[position] = static_cast<char>(random >> 56);
      const auto table = ReadArray(damaged);
      if (table.ok()) {
        EXPECT_EQ(Values(*table).size(), 6U) << position;
      } else {
        EXPECT_NE(ReasonOf(table.status()), v1::ERROR_REASON_UNSPECIFIED) << table.status();
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
