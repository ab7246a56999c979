#include "trainer/kernels/parallel_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "trainer/kernels/plain_product.h"

namespace pilothouse::trainer {
namespace {

std::vector<float> Numbers(int64_t count, double phase) {
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(std::sin(static_cast<double>(i) * 1.7 + phase));
  }
  return numbers;
}

struct Shape {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};

void ExpectPlain(const Multiplier<float>& multiplier, const Shape& shape, bool transposed) {
  const std::vector<float> a = Numbers(shape.rows * shape.depth, 0);
  const std::vector<float> b = Numbers(shape.depth * shape.columns, 1);
  const std::vector<float> start = Numbers(shape.columns, 2);
  std::vector<float> c(static_cast<size_t>(shape.rows * shape.columns));
  std::vector<float> expected = c;
  std::vector<float> descended = Numbers(shape.rows * shape.columns, 3);
  std::vector<float> expected_descended = descended;
  Product<float> product{.rows = shape.rows,
                         .columns = shape.columns,
                         .depth = shape.depth,
                         .a = {a.data(), shape.depth, 1},
                         .b = {b.data(), shape.columns, 1},
                         .c = c.data(),
                         .c_stride = shape.columns,
                         .start = start.data(),
                         .descended = descended.data(),
                         .step = 0.5F};
  if (transposed) {
    product.a = {a.data(), 1, shape.rows};
    product.b = {b.data(), 1, shape.depth};
  }
  multiplier.Multiply(product);
  product.c = expected.data();
  product.descended = expected_descended.data();
  PlainMultiply(product);
  EXPECT_EQ(c, expected);
  EXPECT_EQ(descended, expected_descended);
}

TEST(MultiplierTest, GivesTheSameBitsWhateverTheNumberOfThreads) {
  for (const int threads : {1, 2, 4, 5}) {
    ThreadTeam team(threads);
    const Multiplier<float> multiplier(&team);
    // More columns than rows, more rows, no whole units, fewer units than threads, and too small to be shared.
    for (const Shape shape : {Shape{40, 130, 60}, {130, 40, 60}, {97, 101, 33}, {20, 60, 300}, {5, 7, 3}}) {
      for (const bool transposed : {false, true}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, " << shape.rows << " × " << shape.columns);
        ExpectPlain(multiplier, shape, transposed);
      }
    }
  }
}

TEST(PartOfTest, CoversEverythingOnce) {
  for (const int64_t parts : {1, 2, 3, 4, 9}) {
    const Product<double> by_columns{.rows = 3, .columns = 100, .depth = 1};
    const Product<double> by_rows{.rows = 100, .columns = 3, .depth = 1};
    int64_t columns = 0;
    int64_t rows = 0;
    for (int64_t part = 0; part < parts; ++part) {
      columns += PartOf(by_columns, part, parts).columns;
      rows += PartOf(by_rows, part, parts).rows;
    }
    EXPECT_EQ(columns, 100);
    EXPECT_EQ(rows, 100);
  }
}

}  // namespace
}  // namespace pilothouse::trainer
