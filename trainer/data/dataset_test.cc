#include "trainer/data/dataset.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "proto/support/error.h"
#include "trainer/data/table_values.h"
#include "trainer/data/temporary_file.h"

namespace pilothouse::trainer {
namespace {

// float32, version 1, as NumPy writes it.
std::string Npy(const std::string& shape, const std::vector<float>& values) {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }\n";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  return file + header +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values.front()));
}

TEST(Dataset, ArraysArePairsOfRows) {
  const TemporaryFile inputs(Npy("(3, 2)", {1, 2, 3, 4, 5, 6}));
  const TemporaryFile labels(Npy("(3,)", {0, 1, 2}));
  const auto data = ReadArrays(inputs.path(), labels.path());
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->inputs.columns, 2);
  EXPECT_EQ(data->targets.columns, 1);
  EXPECT_EQ(Values(data->targets), (std::vector<double>{0, 1, 2}));

  const TemporaryFile wide(Npy("(3, 2)", {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(ReadArrays(inputs.path(), wide.path())->targets.columns, 2);
}

TEST(Dataset, ArraysMustHaveTheSameNumberOfRows) {
  const TemporaryFile inputs(Npy("(3, 2)", {1, 2, 3, 4, 5, 6}));
  const TemporaryFile labels(Npy("(2,)", {0, 1}));
  const auto data = ReadArrays(inputs.path(), labels.path());
  EXPECT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ToError(data.status()).metadata().at("expected"), "3");
  EXPECT_EQ(ToError(data.status()).metadata().at("got"), "2");
  // Inputs of one dimension could be one row or one column.
  EXPECT_EQ(ReasonOf(ReadArrays(labels.path(), labels.path()).status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

TEST(Dataset, ArraysMayHaveWeights) {
  const TemporaryFile inputs(Npy("(3, 2)", {1, 2, 3, 4, 5, 6}));
  const TemporaryFile labels(Npy("(3,)", {0, 1, 2}));
  const TemporaryFile column(Npy("(3, 1)", {0.5, 0, 2}));
  EXPECT_TRUE(ReadArrays(inputs.path(), labels.path())->weights.empty());
  for (const std::string& weights : {column.path(), labels.path()}) {
    const auto data = ReadArrays(inputs.path(), labels.path(), weights);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->weights.size(), 3U);
    EXPECT_EQ(data->weights[2], 2);
  }
  const TemporaryFile fewer(Npy("(2,)", {0, 1}));
  for (const std::string& bad : {fewer.path(), inputs.path()}) {
    const auto data = ReadArrays(inputs.path(), labels.path(), bad);
    EXPECT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
    EXPECT_EQ(ToError(data.status()).metadata().at("expected"), "[3]");
  }
}

TEST(Dataset, RefusesFilesThatAreNotThereOrNotFiles) {
  EXPECT_EQ(ReasonOf(ReadTable("/no/such/file.csv", {}).status()), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_EQ(ReasonOf(ReadTable(testing::TempDir(), {}).status()), v1::ERROR_REASON_DATA_MALFORMED);
  const std::string pipe = absl::StrCat(testing::TempDir(), "/pilothouse-pipe-", getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(ReasonOf(ReadTable(pipe, {}).status()), v1::ERROR_REASON_DATA_MALFORMED);
  unlink(pipe.c_str());
}

}  // namespace
}  // namespace pilothouse::trainer
