#include "trainer/checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

class SafetensorsTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  absl::StatusOr<TensorFile> ReadBytes(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary) << bytes;
    return ReadSafetensors(path_);
  }

  std::string Bytes() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/safetensors-", getpid());
};

std::string File(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + data;
}

TensorFile Sample() {
  TensorFile contents;
  contents.tensors["a"] = {{2, 3}, std::vector<float>{1, 2, 3, 4, 5, -0.0F}};
  contents.tensors["größe"] = {{1}, std::vector<double>{std::numeric_limits<double>::infinity()}};
  contents.tensors["scalar"] = {{}, std::vector<double>{0.1}};
  contents.tensors["empty"] = {{0, 7}, std::vector<float>{}};
  contents.metadata = {{"batch", "17"}, {"quote", "\"\n"}};
  return contents;
}

TEST_F(SafetensorsTest, ReadsBackWhatItWrote) {
  const TensorFile sample = Sample();
  ASSERT_TRUE(WriteSafetensors(path_, sample).ok());
  const auto read = ReadSafetensors(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metadata, sample.metadata);
  ASSERT_EQ(read->tensors.size(), sample.tensors.size());
  for (const auto& [name, array] : sample.tensors) {
    EXPECT_EQ(read->tensors.at(name).shape, array.shape) << name;
    EXPECT_EQ(read->tensors.at(name).values, array.values) << name;
  }
}

TEST_F(SafetensorsTest, AlignsEveryTensorToItsElements) {
  ASSERT_TRUE(WriteSafetensors(path_, Sample()).ok());
  const std::string bytes = Bytes();
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  EXPECT_EQ(header_bytes % 8, 0U);
  EXPECT_EQ(bytes[8], '{');
  // The doubles come first, then the floats.
  double first = 0;
  std::memcpy(&first, bytes.data() + 8 + header_bytes, sizeof(first));
  EXPECT_TRUE(std::isinf(first));
}

TEST_F(SafetensorsTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ReasonOf(ReadSafetensors(path_).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonOf(ReadSafetensors(testing::TempDir()).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
}

TEST_F(SafetensorsTest, ReadsWhatOtherProgramsWrite) {
  const auto read = ReadBytes(File(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   )", "1234"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->metadata.empty());
  EXPECT_TRUE(ReadBytes(File("{}", "")).ok());
}

TEST_F(SafetensorsTest, RefusesWhatBreaksTheFormat) {
  const auto one = [](const std::string& entry) { return R"({"t":)" + entry + "}"; };
  const std::string files[] = {
      "",
      "1234567",
      std::string(8, '\xff'),
      File("", ""),
      File("[]", ""),
      File("{", ""),
      File("nonsense", ""),
      File("{\"\xff\":1}", ""),
      File(std::string(1 << 19, '['), ""),
      File(std::string(kMaxSafetensorsHeaderBytes + 1, ' '), ""),
      File(one("1"), ""),
      File(one("{}"), ""),
      File(one(R"({"dtype":"F32","shape":[1]})"), "1234"),
      File(one(R"({"dtype":"F16","shape":[2],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":7,"shape":[1],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[1.0],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "123"),
      File(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "12345"),
      File(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "12345678"),
      File(one(R"({"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]})"), "1234"),
      File(one(R"({"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]})"), "1234"),
      File(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          "1234"),
      File(R"({"__metadata__":7})", ""),
      File(R"({"__metadata__":{"batch":7}})", ""),
  };
  for (const std::string& file : files) {
    EXPECT_EQ(ReasonOf(ReadBytes(file).status()), v1::ERROR_REASON_DATA_MALFORMED) << file.substr(0, 200);
  }
}

TEST_F(SafetensorsTest, SurvivesEveryTruncationAndEveryChangedByte) {
  ASSERT_TRUE(WriteSafetensors(path_, Sample()).ok());
  const std::string good = Bytes();
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ReadBytes(good.substr(0, length)).ok()) << length;
  uint64_t random = 1;
  for (size_t position = 0; position < good.size(); ++position) {
    for (int i = 0; i < 4; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      std::string damaged = good;
      damaged[position] = static_cast<char>(random >> 56);
      const auto read = ReadBytes(damaged);
      if (!read.ok()) {
        EXPECT_EQ(ReasonOf(read.status()), v1::ERROR_REASON_DATA_MALFORMED) << position;
        continue;
      }
      for (const auto& [name, array] : read->tensors) {
        int64_t count = 1;
        for (const int64_t size : array.shape) count *= size;
        EXPECT_EQ(std::visit([](const auto& values) { return static_cast<int64_t>(values.size()); }, array.values),
                  count)
            << name;
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
