#include "trainer/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "trainer/kernels/aligned_array.h"
#include "trainer/kernels/kernels_fixture.h"
#include "trainer/kernels/plain_product.h"

namespace pilothouse::trainer {
namespace {

// Numbers between −1 and 1 of which no sum is exact; the same ones again after a while.
template <typename T>
std::vector<T> Numbers(int64_t count, double phase) {
  constexpr size_t kPeriod = 4093;
  std::vector<T> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = i < kPeriod ? static_cast<T>(std::sin(static_cast<double>(i) * 1.7 + phase)) : numbers[i - kPeriod];
  }
  return numbers;
}

struct Shape {
  int64_t rows;
  int64_t columns;
  int64_t depth;
  bool a_transposed = false;
  bool b_transposed = false;
  // The end of each stride, which belongs to somebody else.
  int64_t gap = 3;
};

std::string Describe(const Shape& shape) {
  return std::to_string(shape.rows) + "×" + std::to_string(shape.depth) + (shape.a_transposed ? "ᵀ" : "") + " · " +
         std::to_string(shape.depth) + "×" + std::to_string(shape.columns) + (shape.b_transposed ? "ᵀ" : "");
}

template <typename T>
Strided<T> View(const std::vector<T>& numbers, int64_t rows, int64_t columns, bool transposed, int64_t gap) {
  return transposed ? Strided<T>{numbers.data(), 1, rows + gap} : Strided<T>{numbers.data(), columns + gap, 1};
}

template <typename T>
std::vector<T> Storage(int64_t rows, int64_t columns, bool transposed, int64_t gap, double phase) {
  return transposed ? Numbers<T>(columns * (rows + gap), phase) : Numbers<T>(rows * (columns + gap), phase);
}

// Where in `numbers`, which has kWorkspaceAlignment bytes more than are needed, an aligned array begins.
template <typename T>
T* Aligned(std::vector<T>& numbers) {
  const auto address = reinterpret_cast<uintptr_t>(numbers.data());
  return numbers.data() + (kWorkspaceAlignment - address % kWorkspaceAlignment) / sizeof(T);
}

// By all kernels that run here.
template <typename T>
void ExpectProductIsPlain(const Shape& shape, bool with_start, bool descends) {
  const std::vector<T> a = Storage<T>(shape.rows, shape.depth, shape.a_transposed, shape.gap, 0);
  const std::vector<T> b = Storage<T>(shape.depth, shape.columns, shape.b_transposed, shape.gap, 1);
  const std::vector<T> start = Numbers<T>(shape.columns, 2);
  const int64_t stride = shape.columns + shape.gap;
  const int64_t count = shape.rows * stride;
  std::vector<T> plain_c = Numbers<T>(count, 3);
  std::vector<T> plain_descended = Numbers<T>(count, 4);
  Product<T> product{.rows = shape.rows,
                     .columns = shape.columns,
                     .depth = shape.depth,
                     .a = View(a, shape.rows, shape.depth, shape.a_transposed, shape.gap),
                     .b = View(b, shape.depth, shape.columns, shape.b_transposed, shape.gap),
                     .c = plain_c.data(),
                     .c_stride = stride,
                     .start = with_start ? start.data() : nullptr,
                     .descended = descends ? plain_descended.data() : nullptr,
                     .step = static_cast<T>(0.1)};
  PlainMultiply(product);
  const AlignedArray<T> workspace(kWorkspaceElements);
  for (const Kernels<T>* kernels : KernelsHere<T>()) {
    SCOPED_TRACE(std::string(kernels->name) + ", " + Describe(shape));
    const std::vector<T> before = Numbers<T>(count, 3);
    std::vector<T> storage(before.size() + kWorkspaceAlignment / sizeof(T));
    product.c = Aligned(storage);
    std::copy(before.begin(), before.end(), product.c);
    std::vector<T> descended = Numbers<T>(count, 4);
    if (descends) product.descended = descended.data();
    kernels->multiply(product, workspace.data());
    ExpectSame(std::vector<T>(product.c, product.c + count), plain_c);
    ExpectSame(descended, plain_descended);
  }
}

template <typename T>
class KernelsTest : public testing::Test {};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(KernelsTest, Precisions);

TYPED_TEST(KernelsTest, MultiplyEveryShapeOfASingleTileAsThePlainProductDoes) {
  for (int64_t rows = 1; rows <= 14; ++rows) {
    for (int64_t columns = 1; columns <= 40; ++columns) {
      for (const bool b_transposed : {false, true}) {
        const Shape shape{rows, columns, 1 + columns % 4, rows % 2 == 0, b_transposed};
        ExpectProductIsPlain<TypeParam>(shape, columns % 2 == 0, rows % 3 == 0);
      }
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(KernelsTest, MultiplyWhatMustBeDividedAsThePlainProductDoes) {
  const std::vector<Shape> shapes = {{1, 1, 3 * kDepthBlock + 1},
                                     {kRowBlock + 7, 100, kDepthBlock + 5},
                                     {37, kColumnBlock + 50, kDepthBlock + 1},
                                     {2 * kRowBlock, 70, 90},
                                     {90, 130, kDepthBlock}};
  for (Shape shape : shapes) {
    for (const int which : {0, 1, 2, 3, 4, 7}) {
      shape.a_transposed = which % 2 == 1;
      shape.b_transposed = which / 2 % 2 == 1;
      // Rows that are far apart are copied, others not.
      shape.gap = which < 4 ? 3 : 1030;
      ExpectProductIsPlain<TypeParam>(shape, which % 2 == 0, which / 2 % 2 == 0);
      if (this->HasFatalFailure()) return;
    }
  }
}

// More than the caches are likely to hold, with rows that begin where vectors may be written past them, and others.
TYPED_TEST(KernelsTest, MoveDownWhatIsLargeAsThePlainProductDoes) {
  for (const int64_t gap : {0, 1, 25}) {
    for (const int64_t columns : {512, 519}) {
      ExpectProductIsPlain<TypeParam>({517, columns, 40, true, false, gap}, /*with_start=*/false, /*descends=*/true);
      if (this->HasFatalFailure()) return;
    }
  }
  // With sums that are put aside first, and with copies.
  ExpectProductIsPlain<TypeParam>({517, 512, kDepthBlock + 3, true, false, 1024}, false, true);
}

TYPED_TEST(KernelsTest, GiveTheStartWhereThereIsNothingToSum) {
  ExpectProductIsPlain<TypeParam>({5, 40, 0}, /*with_start=*/true, /*descends=*/true);
  ExpectProductIsPlain<TypeParam>({5, 40, 0, false, true}, /*with_start=*/false, /*descends=*/false);
}

TYPED_TEST(KernelsTest, MultiplyByWhatIsNoNumber) {
  constexpr TypeParam kInfinity = std::numeric_limits<TypeParam>::infinity();
  const std::vector<TypeParam> a = {kInfinity, 0, std::numeric_limits<TypeParam>::quiet_NaN(), 1};
  const std::vector<TypeParam> b = {0, 1, 2, 3};
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    std::vector<TypeParam> c(4);
    const AlignedArray<TypeParam> workspace(kWorkspaceElements);
    kernels->multiply({.rows = 2,
                       .columns = 2,
                       .depth = 2,
                       .a = {a.data(), 2, 1},
                       .b = {b.data(), 2, 1},
                       .c = c.data(),
                       .c_stride = 2},
                      workspace.data());
    EXPECT_TRUE(std::isnan(c[0])) << kernels->name;
    EXPECT_EQ(c[1], kInfinity) << kernels->name;
    EXPECT_TRUE(std::isnan(c[2]) && std::isnan(c[3])) << kernels->name;
  }
}

TYPED_TEST(KernelsTest, SumRowsInTheirOrder) {
  for (const Kernels<TypeParam>* kernels : KernelsHere<TypeParam>()) {
    for (const int64_t columns : {1, 3, 4, 8, 17, 40}) {
      constexpr int64_t kRows = 23;
      const std::vector<TypeParam> m = Numbers<TypeParam>(kRows * columns, 0.5);
      std::vector<TypeParam> sums(static_cast<size_t>(columns));
      kernels->sum_rows(m.data(), kRows, columns, sums.data());
      std::vector<TypeParam> expected(sums.size(), 0);
      for (size_t i = 0; i < m.size(); ++i) expected[i % expected.size()] += m[i];
      ExpectSame(sums, expected);
    }
  }
}

TEST(FindKernelsTest, KnowsWhatRunsHere) {
  EXPECT_NE(FindKernels<float>("portable"), nullptr);
  EXPECT_EQ(FindKernels<float>("sse"), nullptr);
  EXPECT_EQ(std::string(BestKernels<float>().name), BestKernels<double>().name);
}

TEST(UseKernelsTest, DecidesWhichAreTheBest) {
  const std::string fastest = BestKernels<float>().name;
  for (const auto* kernels : KernelsHere<float>()) {
    EXPECT_TRUE(UseKernels(kernels->name));
    EXPECT_EQ(&BestKernels<float>(), kernels);
    EXPECT_EQ(std::string(BestKernels<double>().name), kernels->name);
  }
  EXPECT_TRUE(UseKernels("portable"));
  EXPECT_FALSE(UseKernels("sse"));
  EXPECT_EQ(std::string(BestKernels<double>().name), "portable") << "nothing changes";
  EXPECT_TRUE(UseKernels(""));
  EXPECT_EQ(BestKernels<float>().name, fastest);
}

}  // namespace
}  // namespace pilothouse::trainer
