#include "clients/cpp/pilothouse_client/upload.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilothouse_client/client.h"
#include "clients/cpp/pilothouse_client/data_file.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "clients/cpp/testing/fake_service.h"
#include "clients/cpp/testing/test_folder.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

class UploadTest : public testing::Test {
 protected:
  UploadTest() {
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(folder_.Address(), {});
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  std::string WriteArray(const std::string& name, const std::vector<double>& values) const {
    return folder_.Write(name, WriteNpy(MakeTensor(values, {static_cast<int64_t>(values.size())})));
  }

  TestFolder folder_;
  FakeHouse house_;
  FakeServer server_{house_, folder_.Address()};
  std::unique_ptr<Client> client_;
};

TEST_F(UploadTest, SendsAFileInChunks) {
  std::string table(2 * kMaxChunkBytes + 17, '1');
  const absl::StatusOr<v1::UploadDatasetResponse> response = client_->UploadFile(folder_.Write("table.csv", table));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->total_bytes(), static_cast<int64_t>(table.size()));
  EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_TABLE), table);
  EXPECT_EQ(house_.largest_chunk(), static_cast<size_t>(kMaxChunkBytes));
}

TEST_F(UploadTest, SendsArraysAsNpyFiles) {
  const std::vector<double> inputs = {1, 2, 3, 4};
  const std::vector<float> targets = {0, 1};
  ASSERT_TRUE(client_->UploadArrays(MakeTensor(inputs, {2, 2}), MakeTensor(targets, {2})).ok());
  EXPECT_TRUE(absl::StrContains(house_.uploaded().at(v1::DATASET_PART_INPUTS), "'shape': (2, 2)"));
  EXPECT_TRUE(absl::StrContains(house_.uploaded().at(v1::DATASET_PART_TARGETS), "'descr': '<f4'"));
}

TEST_F(UploadTest, SaysThatALocalFileIsMissing) {
  const absl::Status status = client_->UploadFile(folder_.Path("missing.csv")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED);
}

TEST_F(UploadTest, NamesTheFormatOfTheFile) {
  for (const auto& [name, content, format] : {std::tuple{"a.csv", "x,y\n1,2\n", v1::DATASET_FORMAT_CSV},
                                              {"a.tsv", "x\ty\n", v1::DATASET_FORMAT_TSV},
                                              {"a.npz", "PK\x03\x04 and more", v1::DATASET_FORMAT_NPZ},
                                              {"a.npy", "\x93NUMPY", v1::DATASET_FORMAT_NPY}}) {
    ASSERT_TRUE(client_->UploadFile(folder_.Write(name, content)).ok()) << name;
    EXPECT_EQ(house_.upload_format(), format) << name;
    EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_TABLE), content) << name;
  }
}

TEST_F(UploadTest, SendsWeightsWhereThereAreAny) {
  const std::string inputs = WriteArray("x.npy", {1, 2});
  const std::string targets = WriteArray("y.npy", {0, 1});
  ASSERT_TRUE(client_->UploadNpyFiles(inputs, targets).ok());
  EXPECT_EQ(house_.uploaded().size(), 2u);
  const std::string weights = WriteArray("w.npy", {1, 0.5});
  ASSERT_TRUE(client_->UploadNpyFiles(inputs, targets, weights).ok());
  EXPECT_EQ(house_.upload_format(), v1::DATASET_FORMAT_ARRAYS);
  EXPECT_EQ(house_.uploaded().size(), 3u);
  const v1::Tensor array = MakeTensor(std::vector<double>{1, 0.5}, {2});
  EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_WEIGHTS), WriteNpy(array));
  ASSERT_TRUE(client_->UploadArrays(array, array, &array).ok());
  EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_WEIGHTS), WriteNpy(array));
  EXPECT_TRUE(absl::IsNotFound(client_->UploadNpyFiles(inputs, targets, folder_.Path("none.npy")).status()));
}

TEST_F(UploadTest, TellsHowFarItHasCome) {
  const int64_t total = 2 * kMaxChunkBytes + 17;
  const std::string path = folder_.Write("table.csv", std::string(total, '1'));
  std::vector<std::pair<int64_t, int64_t>> told;
  ASSERT_TRUE(client_->UploadFile(path, [&told](int64_t sent, int64_t all) { told.emplace_back(sent, all); }).ok());
  EXPECT_EQ(told, (std::vector<std::pair<int64_t, int64_t>>{
                      {kMaxChunkBytes, total}, {2 * kMaxChunkBytes, total}, {total, total}}));
}

TEST(DataFile, IsWhatItsFirstBytesOrItsNameSay) {
  const TestFolder folder;
  const auto format = [&folder](const std::string& name, const std::string& content) {
    return *DataFormatOf(folder.Write(name, content));
  };
  EXPECT_EQ(format("table.csv", "\x93NUMPY\x01"), v1::DATASET_FORMAT_NPY);
  EXPECT_EQ(format("table.csv", "PK\x03\x04"), v1::DATASET_FORMAT_NPZ);
  EXPECT_EQ(format("table.npy", "1,2\n"), v1::DATASET_FORMAT_CSV);
  EXPECT_EQ(format("table.TSV", "1\n"), v1::DATASET_FORMAT_TSV);
  EXPECT_EQ(format("table.tab", "a,b\tc\n"), v1::DATASET_FORMAT_TSV);
  EXPECT_EQ(format("table", "1\t2\n3,4\n"), v1::DATASET_FORMAT_TSV);
  EXPECT_EQ(format("table", "a b\t,2\n"), v1::DATASET_FORMAT_CSV);
  EXPECT_EQ(format("table", "1,2\n3\t4\n"), v1::DATASET_FORMAT_CSV);
  EXPECT_EQ(format("table", ""), v1::DATASET_FORMAT_CSV);
  const absl::Status missing = DataFormatOf(folder.Path("none")).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_UNSPECIFIED);
}

}  // namespace
}  // namespace pilothouse::client
