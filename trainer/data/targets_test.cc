#include "trainer/data/targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NumberTable Table(int64_t columns, std::vector<double> values) {
  const auto rows = static_cast<int64_t>(values.size()) / columns;
  return {rows, columns, std::move(values)};
}

TEST(Targets, TheWidthsOfNetworkAndDataMustAgree) {
  EXPECT_TRUE(CheckInputWidth(2, Table(2, {1, 2})).ok());
  const absl::Status status = CheckInputWidth(65, Table(2, {1, 2}));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NET_DATA_MISMATCH);
  EXPECT_EQ(ToError(status).message(), "The network has 65 inputs but the data has 2 columns of inputs.");
  EXPECT_EQ(ToError(status).metadata().at("expected"), "65");
  EXPECT_EQ(ToError(status).metadata().at("got"), "2");
  for (const auto loss :
       {LossFunction::kCrossEntropy, LossFunction::kBinaryCrossEntropy, LossFunction::kMse, LossFunction::kHalfMse}) {
    NumberTable targets = Table(2, {0, 1});
    const absl::Status mismatch = PrepareTargets(loss, 3, targets);
    EXPECT_EQ(ReasonOf(mismatch), v1::ERROR_REASON_NET_DATA_MISMATCH) << Name(loss);
    EXPECT_THAT(ToError(mismatch).message(), HasSubstr("has 3 outputs but the data has 2 target columns"));
  }
}

TEST(Targets, LabelsAreWholeNumbersBelowTheNumberOfOutputs) {
  NumberTable labels = Table(1, {0, 2, 1});
  EXPECT_TRUE(PrepareTargets(LossFunction::kCrossEntropy, 3, labels).ok());
  for (const double bad : {3.0, -1.0, 0.5, 1e300}) {
    NumberTable targets = Table(1, {0, bad});
    const absl::Status status = PrepareTargets(LossFunction::kCrossEntropy, 3, targets);
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_LABEL_OUT_OF_RANGE) << bad;
    EXPECT_EQ(ToError(status).metadata().at("row"), "2");
    EXPECT_EQ(ToError(status).metadata().at("outputs"), "3");
  }
  NumberTable targets = Table(1, {10});
  EXPECT_EQ(ToError(PrepareTargets(LossFunction::kCrossEntropy, 10, targets)).metadata().at("label"), "10");
}

TEST(Targets, OneHotRowsBecomeLabels) {
  NumberTable targets = Table(3, {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1});
  ASSERT_TRUE(PrepareTargets(LossFunction::kCrossEntropy, 3, targets).ok());
  EXPECT_EQ(targets.columns, 1);
  EXPECT_THAT(targets.values, ElementsAre(2, 0, 1, 2));
  const std::vector<double> bad_rows[] = {{0, 0, 0}, {1, 1, 0}, {0.5, 0.5, 0}, {1, 0, 0.1}, {2, 0, 0}, {1, -1, 1}};
  for (const auto& bad : bad_rows) {
    std::vector<double> values = {0, 1, 0};
    values.insert(values.end(), bad.begin(), bad.end());
    NumberTable table = Table(3, values);
    const absl::Status status = PrepareTargets(LossFunction::kCrossEntropy, 3, table);
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(ToError(status).metadata().at("row"), "2");
  }
}

TEST(Targets, BinaryTargetsLieBetweenTheClasses) {
  NumberTable good = Table(2, {0, 1, 0.25, 1});
  EXPECT_TRUE(PrepareTargets(LossFunction::kBinaryCrossEntropy, 2, good).ok());
  for (const double bad : {-0.1, 1.1}) {
    NumberTable targets = Table(2, {0, 1, 1, 0, bad, 0});
    const absl::Status status = PrepareTargets(LossFunction::kBinaryCrossEntropy, 2, targets);
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(ToError(status).metadata().at("row"), "3");
  }
}

TEST(Targets, SquaredErrorsTakeAnyNumber) {
  NumberTable targets = Table(2, {-7, 1e9});
  EXPECT_TRUE(PrepareTargets(LossFunction::kMse, 2, targets).ok());
  EXPECT_TRUE(PrepareTargets(LossFunction::kHalfMse, 2, targets).ok());
}

TEST(Targets, HaveClassesWhereEachExampleHasOne) {
  EXPECT_THAT(ClassesOf(LossFunction::kCrossEntropy, 3, Table(1, {2, 0, 1})), ElementsAre(2, 0, 1));
  EXPECT_THAT(ClassesOf(LossFunction::kBinaryCrossEntropy, 1, Table(1, {0, 0.49999999999999994, 0.5, 1})),
              ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(ClassesOf(LossFunction::kBinaryCrossEntropy, 2, Table(2, {0, 1})), IsEmpty());
  for (const auto loss : {LossFunction::kMse, LossFunction::kHalfMse, LossFunction::kHuber}) {
    EXPECT_THAT(ClassesOf(loss, 1, Table(1, {0, 1})), IsEmpty());
  }
}

TEST(Targets, OfOneClassOnlyAreRefusedAndConstantNumbersAreNot) {
  const std::vector<int64_t> rows = {0, 2};
  for (const auto loss : {LossFunction::kCrossEntropy, LossFunction::kBinaryCrossEntropy}) {
    EXPECT_TRUE(CheckVariety(loss, 1, Table(1, {0, 0, 1}), rows).ok());
    const absl::Status status = CheckVariety(loss, 1, Table(1, {1, 0, 1}), rows);
    ASSERT_EQ(ReasonOf(status), v1::ERROR_REASON_DATA_MALFORMED) << Name(loss);
    EXPECT_THAT(ToError(status).message(), HasSubstr("All 2 examples to learn from have the target 1"));
  }
  EXPECT_TRUE(CheckVariety(LossFunction::kBinaryCrossEntropy, 1, Table(1, {0.1, 0, 0.2}), rows).ok())
      << "probabilities, all on one side";
  EXPECT_TRUE(CheckVariety(LossFunction::kBinaryCrossEntropy, 1, Table(1, {0.3, 0.3, 0.3}), rows).ok());
  EXPECT_TRUE(CheckVariety(LossFunction::kBinaryCrossEntropy, 2, Table(2, {0, 1, 0, 1, 0, 1}), rows).ok());
  EXPECT_TRUE(CheckVariety(LossFunction::kMse, 1, Table(1, {5, 5, 5}), rows).ok());
}

}  // namespace
}  // namespace pilothouse::trainer
