#include "service/runs/dataset_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::service {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kLimit = 3'000'000;

class DatasetStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "datasets-" + std::to_string(getpid());
    std::filesystem::remove_all(root_);
    store_ = *DatasetStore::Open(root_, kLimit);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static v1::DatasetHeader Header(v1::DatasetFormat format, int64_t total = 0) {
    v1::DatasetHeader header;
    header.set_format(format);
    header.set_total_bytes(total);
    return header;
  }
  static v1::DatasetChunk Chunk(v1::DatasetPart part, const std::string& data) {
    v1::DatasetChunk chunk;
    chunk.set_part(part);
    chunk.set_data(data);
    return chunk;
  }
  v1::UploadDatasetResponse UploadTable(const std::string& text) {
    auto upload = *store_->Begin(Header(v1::DATASET_FORMAT_CSV));
    EXPECT_TRUE(upload->Append(Chunk(v1::DATASET_PART_TABLE, text)).ok());
    return *upload->Finish();
  }
  int EntriesInStore() const {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(root_ + "/datasets"), {}));
  }
  v1::ErrorReason ReasonForFile(const std::string& name) const {
    v1::DataSpec spec;
    spec.set_file(name);
    return ReasonOf(store_->Find(spec).status());
  }

  std::string root_;
  std::unique_ptr<DatasetStore> store_;
};

TEST_F(DatasetStoreTest, WhatWasUploadedIsFoundByTheIdThatUploadReturned) {
  v1::DataSpec spec;
  spec.set_dataset_id(UploadTable("1,2\n").dataset_id());
  const auto paths = store_->Find(spec);
  ASSERT_TRUE(paths.ok()) << paths.status();
  std::string content;
  std::getline(std::ifstream(paths->table), content);
  EXPECT_EQ(content, "1,2");
}

TEST_F(DatasetStoreTest, TheSameContentIsStoredOnceAndOtherContentHasAnotherId) {
  const auto first = UploadTable("1,2\n");
  const auto again = UploadTable("1,2\n");
  const auto other = UploadTable("1,3\n");
  EXPECT_EQ(again.dataset_id(), first.dataset_id());
  EXPECT_TRUE(again.existed());
  EXPECT_FALSE(first.existed());
  EXPECT_NE(other.dataset_id(), first.dataset_id());
  EXPECT_EQ(EntriesInStore(), 2);
}

TEST_F(DatasetStoreTest, ArraysComeInTwoPartsAndBothMustBeThere) {
  auto upload = *store_->Begin(Header(v1::DATASET_FORMAT_ARRAYS));
  ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_INPUTS, "ab")).ok());
  EXPECT_EQ(ReasonOf(upload->Finish().status()), v1::ERROR_REASON_SPEC_INVALID);
  ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_TARGETS, "c")).ok());
  EXPECT_EQ(ReasonOf(upload->Append(Chunk(v1::DATASET_PART_INPUTS, "late"))), v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_EQ(ReasonOf(upload->Append(Chunk(v1::DATASET_PART_TABLE, "x"))), v1::ERROR_REASON_SPEC_INVALID);
  v1::DataSpec spec;
  spec.set_dataset_id(upload->Finish()->dataset_id());
  EXPECT_TRUE(std::filesystem::exists(store_->Find(spec)->inputs));
  EXPECT_TRUE(std::filesystem::exists(store_->Find(spec)->targets));
}

TEST_F(DatasetStoreTest, ADatasetOverTheLimitIsRefusedAsSoonAsThatIsKnown) {
  const absl::Status refused = store_->Begin(Header(v1::DATASET_FORMAT_CSV, kLimit + 1)).status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_DATASET_TOO_LARGE);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("3000000 bytes this service takes"), HasSubstr("--max-dataset-bytes")));
  auto upload = *store_->Begin(Header(v1::DATASET_FORMAT_CSV));
  const auto megabyte = Chunk(v1::DATASET_PART_TABLE, std::string(1'000'000, '1'));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(upload->Append(megabyte).ok());
  EXPECT_EQ(ReasonOf(upload->Append(megabyte)), v1::ERROR_REASON_DATASET_TOO_LARGE);
}

TEST_F(DatasetStoreTest, AnUploadThatStopsHalfwayLeavesNothing) {
  {
    auto upload = *store_->Begin(Header(v1::DATASET_FORMAT_CSV, 100));
    ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_TABLE, "1,2\n")).ok());
    EXPECT_EQ(ReasonOf(upload->Finish().status()), v1::ERROR_REASON_SPEC_INVALID);
  }
  EXPECT_EQ(EntriesInStore(), 0);
}

TEST_F(DatasetStoreTest, WhatAKilledServiceLeftBehindIsRemovedAtTheNextStart) {
  std::filesystem::create_directories(root_ + "/datasets/incoming-abc123");
  ASSERT_TRUE(DatasetStore::Open(root_, kLimit).ok());
  EXPECT_EQ(EntriesInStore(), 0);
}

TEST_F(DatasetStoreTest, ChunksAndFormatsOutsideTheContractAreRefused) {
  EXPECT_EQ(ReasonOf(store_->Begin(v1::DatasetHeader()).status()), v1::ERROR_REASON_SPEC_INVALID);
  auto upload = *store_->Begin(Header(v1::DATASET_FORMAT_CSV));
  EXPECT_EQ(ReasonOf(upload->Append(Chunk(v1::DATASET_PART_TABLE, std::string(kMaxChunkBytes + 1, 'x')))),
            v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

TEST_F(DatasetStoreTest, TablesOfEachFormatAreFoundByTheirIdUnderANameOfTheirOwn) {
  const std::map<v1::DatasetFormat, std::string> formats = {{v1::DATASET_FORMAT_CSV, "table.csv"},
                                                            {v1::DATASET_FORMAT_TSV, "table.tsv"},
                                                            {v1::DATASET_FORMAT_NPZ, "table.npz"},
                                                            {v1::DATASET_FORMAT_NPY, "table.npy"}};
  for (const auto& [format, name] : formats) {
    v1::DatasetHeader header;
    header.set_format(format);
    const auto upload = *store_->Begin(header);
    ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_TABLE, "same bytes")).ok());
    EXPECT_EQ(ReasonOf(upload->Append(Chunk(v1::DATASET_PART_WEIGHTS, "1"))), v1::ERROR_REASON_SPEC_INVALID);
    v1::DataSpec spec;
    spec.set_dataset_id(upload->Finish()->dataset_id());
    const absl::StatusOr<DataPaths> paths = store_->Find(spec);
    ASSERT_TRUE(paths.ok()) << paths.status();
    EXPECT_EQ(std::filesystem::path(paths->table).filename(), name);
  }
}

TEST_F(DatasetStoreTest, ArraysMayHaveWeightsAndNeedNot) {
  for (const bool weighted : {true, false}) {
    v1::DatasetHeader header;
    header.set_format(v1::DATASET_FORMAT_ARRAYS);
    const auto upload = *store_->Begin(header);
    ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_INPUTS, "x")).ok());
    ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_TARGETS, "y")).ok());
    if (weighted) {
      ASSERT_TRUE(upload->Append(Chunk(v1::DATASET_PART_WEIGHTS, "w")).ok());
    }
    v1::DataSpec spec;
    spec.set_dataset_id(upload->Finish()->dataset_id());
    const absl::StatusOr<DataPaths> paths = store_->Find(spec);
    ASSERT_TRUE(paths.ok()) << paths.status();
    EXPECT_TRUE(paths->table.empty());
    EXPECT_EQ(!paths->weights.empty(), weighted) << paths->weights;
  }
}

TEST_F(DatasetStoreTest, FilesAreFoundBelowTheFolderAndNowhereElse) {
  std::filesystem::create_directories(root_ + "/files/sub");
  std::ofstream(root_ + "/files/sub/table.csv") << "1,2\n";
  std::ofstream(root_ + "/secret.csv") << "1,2\n";
  std::filesystem::create_symlink(root_ + "/secret.csv", root_ + "/files/link.csv");
  EXPECT_EQ(ReasonForFile("sub/table.csv"), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForFile("none.csv"), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonForFile("sub"), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonForFile("link.csv"), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonForFile("../secret.csv"), v1::ERROR_REASON_FILE_NAME_INVALID);
  EXPECT_EQ(ReasonForFile("/etc/passwd"), v1::ERROR_REASON_FILE_NAME_INVALID);
  EXPECT_EQ(ReasonForFile(""), v1::ERROR_REASON_FILE_NAME_INVALID);
}

TEST_F(DatasetStoreTest, UnknownIdsAndMissingSourcesAreRefused) {
  v1::DataSpec spec;
  EXPECT_EQ(ReasonOf(store_->Find(spec).status()), v1::ERROR_REASON_SPEC_INVALID);
  for (const char* id : {"", "../../etc", "0123456789abcdef0123456789abcdef"}) {
    spec.set_dataset_id(id);
    EXPECT_EQ(ReasonOf(store_->Find(spec).status()), v1::ERROR_REASON_DATASET_NOT_FOUND) << id;
  }
}

}  // namespace
}  // namespace pilothouse::service
