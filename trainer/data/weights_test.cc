#include "trainer/data/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Dataset Weighted(std::vector<double> weights) {
  const auto rows = static_cast<int64_t>(weights.size());
  Dataset data{{rows, 1, std::vector<double>(weights.size())}, {rows, 1, std::vector<double>(weights.size())}};
  data.weights = std::move(weights);
  return data;
}

TEST(Weights, AreFiniteAndNotNegative) {
  EXPECT_TRUE(CheckWeights(Weighted({1, 0, 0.5, 1e90})).ok());
  for (const double bad : {-1.0, -1e-300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const absl::Status status = CheckWeights(Weighted({1, 0, bad, -7}));
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED) << bad;
    EXPECT_EQ(ToError(status).metadata().at("row"), "3");
    EXPECT_THAT(ToError(status).message(), HasSubstr("Row 3 has the weight "));
  }
}

TEST(Weights, AreAsManyAsThereAreRowsOrNone) {
  Dataset data = Weighted({1, 2, 3});
  data.weights.pop_back();
  EXPECT_EQ(ReasonOf(CheckWeights(data)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ToError(CheckWeights(data)).message(), "There are 3 rows of inputs but 2 weights.");
  data.weights.clear();
  EXPECT_TRUE(CheckWeights(data).ok());
  std::vector<int64_t> rows = {0, 1, 2};
  EXPECT_TRUE(LeaveOutWeightless(data, "training part", rows).ok());
  EXPECT_THAT(rows, ElementsAre(0, 1, 2));
}

TEST(Weights, OfZeroLeaveTheirRowsOut) {
  std::vector<int64_t> rows = {0, 2, 3, 5};
  ASSERT_TRUE(LeaveOutWeightless(Weighted({1, 1, 0, 4, 0, 0.5}), "training part", rows).ok());
  EXPECT_THAT(rows, ElementsAre(0, 3, 5));
  std::vector<int64_t> none;
  EXPECT_TRUE(LeaveOutWeightless(Weighted({0}), "test part", none).ok());
  EXPECT_THAT(none, IsEmpty());
}

TEST(Weights, MustLeaveAnExampleInEachPart) {
  std::vector<int64_t> rows = {1, 2};
  const absl::Status status = LeaveOutWeightless(Weighted({1, 0, 0}), "validation part", rows);
  ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_THAT(ToError(status).message(), HasSubstr("All 2 examples of the validation part have the weight 0"));
}

TEST(Weights, MustNotAddUpToWhatCannotBeMultiplied) {
  for (const double extreme : {1e308, 1e101, 1e-101, 5e-324}) {
    std::vector<int64_t> rows = {0, 1};
    const absl::Status status = LeaveOutWeightless(Weighted({extreme, extreme}), "test part", rows);
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED) << extreme;
    EXPECT_THAT(ToError(status).message(), HasSubstr("The weights of the test part add up to"));
  }
}

TEST(Weights, MustNotBeLostBesideTheirMean) {
  // The mean of the three that are in the part is 1.
  std::vector<int64_t> rows = {0, 1, 3};
  EXPECT_TRUE(LeaveOutWeightless(Weighted({2, 1.0001e-20, 5e99, 1}), "training part", rows).ok());
  const absl::Status status = LeaveOutWeightless(Weighted({2, 0.9999e-20, 5e99, 1}), "training part", rows);
  ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(status).metadata().at("row"), "2");
  EXPECT_THAT(ToError(status).message(),
              HasSubstr("Row 2 has the weight 9.999e-21, but the mean of the training part is 1: "));
  EXPECT_TRUE(LeaveOutWeightless(Weighted({2, 1e-300, 5e99, 1}), "training part", rows, RunAge::kOld).ok());
  EXPECT_THAT(rows, ElementsAre(0, 1, 3));
  EXPECT_FALSE(LeaveOutWeightless(Weighted({1e101, 1e-300, 1, 1}), "training part", rows, RunAge::kOld).ok());
  rows = {2};
  EXPECT_TRUE(LeaveOutWeightless(Weighted({1, 1, 1e-90}), "test part", rows).ok()) << "alone, it is the mean";
}

}  // namespace
}  // namespace pilothouse::trainer
