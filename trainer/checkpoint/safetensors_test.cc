#include "trainer/checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

class SafetensorsTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  // Reads them from an allocation of their own, so that the address sanitizer sees what is read beyond them.
  static absl::StatusOr<SavedState> ReadBytes(const std::string& bytes) {
    const std::shared_ptr<char[]> copy(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), copy.get());
    return ParseSafetensors({absl::string_view(copy.get(), bytes.size()), copy});
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

template <typename T>
SavedTensor Tensor(std::vector<int64_t> shape, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return TensorOf(owner->data(), std::move(shape), owner);
}

SavedState Sample() {
  uint64_t odd_bits = 0xfff8000012345678;
  double odd_nan = 0;
  std::memcpy(&odd_nan, &odd_bits, sizeof(odd_nan));
  SavedState contents;
  contents.tensors["a"] = Tensor<float>({2, 3}, {1, 2, 3, std::numeric_limits<float>::denorm_min(), 5, -0.0F});
  contents.tensors["größe"] = Tensor<double>({1}, {std::numeric_limits<double>::infinity()});
  contents.tensors["scalar"] = Tensor<double>({}, {0.1});
  contents.tensors["nan"] = Tensor<double>({2, 1}, {odd_nan, -1});
  contents.tensors["empty"] = Tensor<float>({0, 7}, {});
  contents.tensors["nothing"] = TensorOf("");
  contents.tensors["plugins.a.state"] = TensorOf(std::string("\0\xff any bytes", 12));
  contents.texts = {{"batch", "17"}, {"quote", "\"\n"}};
  return contents;
}

TEST_F(SafetensorsTest, ReadsBackWhatItWrote) {
  const SavedState sample = Sample();
  ASSERT_TRUE(WriteSafetensors(path_, sample).ok());
  const auto read = ReadSafetensors(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->texts, sample.texts);
  ASSERT_EQ(read->tensors.size(), sample.tensors.size());
  for (const auto& [name, tensor] : sample.tensors) {
    EXPECT_EQ(read->tensors.at(name).type, tensor.type) << name;
    EXPECT_EQ(read->tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read->tensors.at(name).bytes, tensor.bytes) << name;
  }
  EXPECT_EQ(HashOfTensors(*read), HashOfTensors(sample));
}

TEST_F(SafetensorsTest, AHeaderThatCouldNotBeReadIsNotWritten) {
  SavedState state;
  state.texts["loop"] = std::string(kMaxSafetensorsHeaderBytes, 'x');
  EXPECT_EQ(ReasonOf(WriteSafetensors(path_, state)), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SafetensorsTest, AlignsEveryTensorToItsElements) {
  ASSERT_TRUE(WriteSafetensors(path_, Sample()).ok());
  const std::string bytes = Bytes();
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  EXPECT_EQ(header_bytes % 8, 0U);
  EXPECT_EQ(bytes[8], '{');
  // The doubles come first, then the floats, then the bytes.
  double first = 0;
  std::memcpy(&first, bytes.data() + 8 + header_bytes, sizeof(first));
  EXPECT_TRUE(std::isinf(first));
  const size_t any_bytes = Sample().tensors.at("plugins.a.state").bytes.size();
  EXPECT_EQ(bytes.substr(bytes.size() - any_bytes), Sample().tensors.at("plugins.a.state").bytes);
}

TEST_F(SafetensorsTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ReasonOf(ReadSafetensors(path_).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonOf(ReadSafetensors(testing::TempDir()).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
}

TEST_F(SafetensorsTest, ReadsWhatOtherProgramsWrite) {
  const auto read = ReadBytes(File(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   )", "1234"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->texts.empty());
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
      for (const auto& [name, tensor] : read->tensors) {
        size_t bytes = ElementBytes(tensor.type);
        for (const int64_t size : tensor.shape) bytes *= static_cast<size_t>(size);
        EXPECT_EQ(tensor.bytes.size(), bytes) << name;
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
