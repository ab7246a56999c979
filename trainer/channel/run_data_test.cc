#include "trainer/channel/run_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;

class RunDataTest : public testing::Test {
 protected:
  RunDataTest() {
    std::string pattern = testing::TempDir() + "/pilothouse-data-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~RunDataTest() override { std::filesystem::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = root_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
    return path;
  }

  std::string root_;
};

TEST_F(RunDataTest, FindsWhatTheServiceKeeps) {
  const std::string table = Write("datasets/a/table.csv", "1");
  const std::string inputs = Write("datasets/b/inputs.npy", "2");
  const std::string targets = Write("datasets/b/targets.npy", "3");
  const std::string file = Write("files/x/digits.csv", "4");
  const std::string archive = Write("datasets/c/table.npz", "5");
  v1::DataSpec spec;
  spec.set_dataset_id("a");
  EXPECT_THAT(FindData(spec, root_)->paths(), ElementsAre(table));
  spec.set_dataset_id("b");
  EXPECT_THAT(FindData(spec, root_)->paths(), ElementsAre(inputs, targets));
  const std::string weights = Write("datasets/b/weights.npy", "6");
  EXPECT_THAT(FindData(spec, root_)->paths(), ElementsAre(inputs, targets, weights));
  spec.set_dataset_id("c");
  EXPECT_THAT(FindData(spec, root_)->paths(), ElementsAre(archive));
  spec.set_file("x/digits.csv");
  EXPECT_THAT(FindData(spec, root_)->paths(), ElementsAre(file));
  spec.set_file("x/none.csv");
  EXPECT_EQ(ReasonOf(FindData(spec, root_).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
}

TEST_F(RunDataTest, TheHashIsThatOfAllFilesOneAfterTheOther) {
  const DataFiles apart = {.inputs = Write("inputs", "ab"), .targets = Write("targets", "c")};
  const DataFiles together = {.table = Write("table", "abc")};
  EXPECT_EQ(*HashOfData(apart), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*HashOfData(together), *HashOfData(apart));
  EXPECT_EQ(ReasonOf(HashOfData({.table = root_ + "/none"}).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
}

TEST_F(RunDataTest, OtherDataAreRefusedAndUnknownOnesTaken) {
  EXPECT_EQ(ReasonOf(CheckDataHash("a", "b")), v1::ERROR_REASON_DATA_CHANGED);
  EXPECT_TRUE(CheckDataHash("a", "a").ok());
  EXPECT_TRUE(CheckDataHash("", "b").ok());
}

}  // namespace
}  // namespace pilothouse::trainer
