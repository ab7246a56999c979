#include "trainer/net/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace pilothouse::trainer {
namespace {

template <typename T>
Matrix<T> Draw(double rate, Eigen::Index rows, Eigen::Index columns, int64_t layer = 1, uint64_t batch = 1,
               uint64_t seed = 1) {
  // Of which nothing may be left.
  Matrix<T> factors = Matrix<T>::Constant(rows, columns, T{-7});
  DrawDropout<T>(RandomStream(seed, RandomPurpose::kDropout, batch), rate, layer, {factors.data(), rows, columns});
  return factors;
}

template <typename T>
int64_t Dropped(const Matrix<T>& factors) {
  return (factors.array() == 0).count();
}

TEST(Dropout, DropsAsManyAsItsRateSaysAndKeepsTheMean) {
  constexpr int64_t kElements = 100'000;
  for (const double rate : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    const Matrix<double> factors = Draw<double>(rate, kElements / 10, 10);
    // Five standard deviations.
    const double deviation = std::sqrt(rate * (1 - rate) / kElements);
    EXPECT_NEAR(static_cast<double>(Dropped(factors)) / kElements, rate, 5 * deviation) << rate;
    EXPECT_NEAR(factors.mean(), 1, 5 * deviation / (1 - rate)) << rate;
    EXPECT_TRUE((factors.array() == 0 || factors.array() == 1 / (1 - rate)).all()) << rate;
  }
}

TEST(Dropout, AtRateZeroKeepsEverythingAsItIs) { EXPECT_EQ(Draw<float>(0, 10, 33), Matrix<float>::Ones(10, 33)); }

TEST(Dropout, StaysFiniteAtTheLargestRate) { EXPECT_TRUE(Draw<float>(std::nextafter(1.0, 0.0), 100, 100).allFinite()); }

TEST(Dropout, DropsNeighboursRowsColumnsLayersBatchesAndSeedsIndependently) {
  constexpr int kSide = 200;
  const Matrix<double> factors = Draw<double>(0.5, kSide, kSide);
  const Matrix<double> others[] = {
      Draw<double>(0.5, kSide, kSide, 2), Draw<double>(0.5, kSide, kSide, 1, 2),
      Draw<double>(0.5, kSide, kSide, 1, 1, 2), factors.transpose(),
      // Shifted by one row, and by one column.
      Matrix<double>::NullaryExpr(kSide, kSide, [&](auto i, auto j) { return factors((i + 1) % kSide, j); }),
      Matrix<double>::NullaryExpr(kSide, kSide, [&](auto i, auto j) { return factors(i, (j + 1) % kSide); })};
  for (const Matrix<double>& other : others) {
    // The mean of products, whose standard deviation is √15/200.
    EXPECT_NEAR(factors.cwiseProduct(other).mean(), 1, 0.06);
  }
}

TEST(Dropout, OfAnElementDependsOnItsPlaceInTheBatchAndNotOnHowManyFollow) {
  const Matrix<float> whole = Draw<float>(0.3, 50, 7);
  EXPECT_EQ(whole.topRows(13), Draw<float>(0.3, 13, 7));
  EXPECT_EQ(whole, Draw<float>(0.3, 50, 7));
  EXPECT_EQ(Dropped(whole), Dropped(Draw<double>(0.3, 50, 7)));
}

TEST(Dropout, DropsTheSameOnEveryMachine) {
  // Frozen: what a run has dropped, it must drop when it is done again.
  const Matrix<float> expected{{0, 0, 2}, {2, 0, 2}};
  EXPECT_EQ(Draw<float>(0.5, 2, 3), expected);
}

}  // namespace
}  // namespace pilothouse::trainer
