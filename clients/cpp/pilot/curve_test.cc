#include "clients/cpp/pilot/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

TEST(Curve, GoesFromTheFullBlockToTheLowest) {
  const Curve curve = DrawCurve({{0, 8}, {1, 7}, {2, 6}, {3, 5}, {4, 4}, {5, 3}, {6, 2}, {7, 1}}, 8, 1, true);
  ASSERT_EQ(curve.rows.size(), 1u);
  EXPECT_EQ(curve.rows[0], "█▇▆▅▄▃▂▁");
  EXPECT_EQ(curve.maximum, 8);
  EXPECT_EQ(curve.minimum, 1);
  EXPECT_FALSE(curve.logarithmic);
}

TEST(Curve, StacksItsRows) {
  const Curve curve = DrawCurve({{0, 4}, {10, 1}}, 2, 3, true);
  ASSERT_EQ(curve.rows.size(), 3u);
  EXPECT_EQ(curve.rows[0], "█ ");
  EXPECT_EQ(curve.rows[1], "█ ");
  EXPECT_EQ(curve.rows[2], "█▁");
}

TEST(Curve, IsLogarithmicOverDecades) {
  const Curve curve = DrawCurve({{0, 100}, {1, 2}, {2, 0.01}}, 3, 1, true);
  EXPECT_TRUE(curve.logarithmic);
  EXPECT_EQ(curve.rows[0], "█▅▁");
}

TEST(Curve, FillsColumnsWithoutPointsAndLeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Curve curve = DrawCurve({{0, 1}, {50, nan}, {100, INFINITY}, {100, 2}}, 5, 2, true);
  EXPECT_EQ(DisplayWidth(curve.rows[1]), 5);
  EXPECT_EQ(curve.rows[1], "▁▁▁▁█");
  EXPECT_TRUE(DrawCurve({{0, nan}, {1, nan}}, 5, 2, true).rows.empty());
  EXPECT_TRUE(DrawCurve({}, 5, 2, true).rows.empty());
  EXPECT_EQ(DrawCurve({{0, 3}, {1, 3}}, 4, 1, true).rows[0], "▅▅▅▅");
}

TEST(Curve, CanDoWithAscii) {
  EXPECT_EQ(DrawCurve({{0, 3}, {1, 2}, {2, 1}}, 3, 1, false).rows[0], "#:.");
  EXPECT_EQ(DrawBar(0.5, 4, false), "##..");
}

TEST(Bar, IsFilledToAnEighthOfAColumn) {
  EXPECT_EQ(DrawBar(0, 4, true), "░░░░");
  EXPECT_EQ(DrawBar(1, 4, true), "████");
  EXPECT_EQ(DrawBar(0.375, 4, true), "█▌░░");
  EXPECT_EQ(DrawBar(7, 4, true), "████");
  EXPECT_EQ(DrawBar(std::numeric_limits<double>::quiet_NaN(), 2, true), "░░");
  EXPECT_EQ(DrawBar(0.5, 0, true), "");
}

TEST(LossHistory, StaysBoundedAndKeepsItsEnds) {
  LossHistory history;
  constexpr int64_t kBatches = 100000;
  for (int64_t batch = 1; batch <= kBatches; ++batch) {
    history.Add(batch, static_cast<double>(batch));
    ASSERT_LE(history.points().size(), LossHistory::kMaxPoints);
    ASSERT_EQ(history.points().back().batch, batch);
  }
  EXPECT_EQ(history.points().front().batch, 1);
  // Evenly spread but for the newest.
  const int64_t spacing = history.points()[1].batch - history.points()[0].batch;
  for (size_t i = 1; i + 1 < history.points().size(); ++i) {
    ASSERT_EQ(history.points()[i].batch - history.points()[i - 1].batch, spacing);
  }
  EXPECT_GT(history.points().size(), LossHistory::kMaxPoints / 4);
}

TEST(LossHistory, GoesBackWithTheRun) {
  LossHistory history;
  // More than are kept, so that every other one was dropped.
  for (int64_t batch = 1; batch <= 5000; ++batch) history.Add(batch, 1);
  history.GoBackTo(1000);
  ASSERT_FALSE(history.points().empty());
  EXPECT_LE(history.points().back().batch, 1000);
  EXPECT_GE(history.points().back().batch, 998);
  history.Add(1001, 2);
  EXPECT_EQ(history.points().back().batch, 1001);
  // Without having been told.
  history.Add(500, 3);
  EXPECT_EQ(history.points().back().batch, 500);
  EXPECT_EQ(history.points().back().loss, 3);
  for (size_t i = 1; i < history.points().size(); ++i) {
    EXPECT_LT(history.points()[i - 1].batch, history.points()[i].batch);
  }
  history.GoBackTo(-1);
  EXPECT_TRUE(history.points().empty());
}

}  // namespace
}  // namespace pilothouse::client
