#include "trainer/plugin/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Validation, ConfusionIsNamedByClassAndPrediction) {
  Validation validation;
  EXPECT_THAT(ConfusionValues(validation), IsEmpty());
  validation.confusion = {5, 1, 0, 7};
  EXPECT_THAT(ConfusionValues(validation), ElementsAre(Pair("confusion.0.0", 5), Pair("confusion.0.1", 1),
                                                       Pair("confusion.1.0", 0), Pair("confusion.1.1", 7)));
}

TEST(Validation, ItsNumbersAreFoundByName) {
  Validation validation;
  validation.loss = 0.5;
  validation.roc_auc = 0.75;
  validation.confusion = {5, 1, 0, 7};
  EXPECT_EQ(ValueOf(validation, "loss"), 0.5);
  EXPECT_EQ(ValueOf(validation, "roc_auc"), 0.75);
  EXPECT_EQ(ValueOf(validation, "accuracy"), std::nullopt);
  EXPECT_EQ(ValueOf(validation, "confusion.0.1"), 1);
  for (const auto& [name, value] : ConfusionValues(validation)) EXPECT_EQ(ValueOf(validation, name), value) << name;
  for (const char* unknown : {"confusion.2.0", "confusion.0.2", "confusion.0", "confusion.0.1.0", "confusion.0.01",
                              "confusion.0.-1", "confusion.a.0", "confused.0.1", "confusion", ""}) {
    EXPECT_EQ(ValueOf(validation, unknown), std::nullopt) << unknown;
  }
}

}  // namespace
}  // namespace pilothouse::trainer
