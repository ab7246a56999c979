#include "proto/support/tensor.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/support/error.h"

namespace pilothouse {
namespace {

TEST(Tensor, KeepsValuesAndShape) {
  const std::vector<double> values = {1.5, -2, 3, 4, 5, 6};
  const v1::Tensor tensor = MakeTensor(values, {2, 3});
  EXPECT_TRUE(CheckTensor(tensor, "inputs").ok());
  EXPECT_EQ(ElementCount(tensor), 6);
  EXPECT_EQ(ToDoubles(tensor), values);
  EXPECT_EQ(ToFloats(tensor)[1], -2.0F);
}

TEST(Tensor, OneWhoseDataDoNotFitItsShapeIsRefused) {
  v1::Tensor tensor = MakeTensor(std::vector<float>{1, 2, 3}, {3});
  tensor.set_shape(0, 4);
  EXPECT_EQ(ReasonOf(CheckTensor(tensor, "inputs")), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  tensor.set_shape(0, -3);
  EXPECT_EQ(ReasonOf(CheckTensor(tensor, "inputs")), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

TEST(Tensor, ShapesWhoseProductOverflowsAreRefused) {
  v1::Tensor tensor = MakeTensor(std::vector<float>{}, {0});
  tensor.clear_shape();
  for (int i = 0; i < 4; ++i) tensor.add_shape(int64_t{1} << 62);
  EXPECT_EQ(ReasonOf(CheckTensor(tensor, "inputs")), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

TEST(Tensor, AnEmptyArrayIsAnArray) {
  EXPECT_TRUE(CheckTensor(MakeTensor(std::vector<float>{}, {0, 64}), "inputs").ok());
}

TEST(Tensor, AnUnknownElementTypeIsRefused) {
  EXPECT_EQ(ReasonOf(CheckTensor(v1::Tensor(), "inputs")), v1::ERROR_REASON_ARRAY_DTYPE_INVALID);
}

}  // namespace
}  // namespace pilothouse
