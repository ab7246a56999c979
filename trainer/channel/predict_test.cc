#include "trainer/channel/predict.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"
#include "trainer/loop/fake_learner.h"

namespace pilothouse::trainer {
namespace {

v1::PredictQuery Of(const std::vector<double>& values, const std::vector<int64_t>& shape) {
  v1::PredictQuery query;
  *query.mutable_inputs() = MakeTensor(values, shape);
  return query;
}

TEST(Predict, AnswersRowsAndASingleRow) {
  const FakeModel model(/*batch=*/3, /*can_save=*/true);
  const v1::PredictQuery two = Of({1, 2, 3, 4}, {2, 2});
  ASSERT_TRUE(CheckPredict(two, 2, 2).ok());
  const v1::PredictAnswer answer = Predict(two, model, 3);
  EXPECT_EQ(answer.batch(), 3);
  EXPECT_EQ(ToDoubles(answer.outputs()), std::vector<double>({3, 6, 9, 12}));
  const v1::PredictQuery one = Of({1, 2}, {2});
  ASSERT_TRUE(CheckPredict(one, 2, 2).ok());
  const v1::Tensor outputs = Predict(one, model, 3).outputs();
  EXPECT_EQ(std::vector<int64_t>(outputs.shape().begin(), outputs.shape().end()), std::vector<int64_t>({1, 2}));
}

TEST(SlicedPrediction, GivesInSlicesWhatIsComputedAtOnce) {
  const auto model = std::make_shared<FakeModel>(/*batch=*/3, /*can_save=*/true);
  const int64_t rows = 2 * kPredictBlockRows + 1;
  std::vector<float> values(2 * rows);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  v1::PredictQuery query;
  *query.mutable_inputs() = MakeTensor(values, {rows, 2});
  for (const auto& [parameters, expected_slices] : {std::pair(int64_t{1}, 1), std::pair(int64_t{1} << 40, 3)}) {
    SlicedPrediction prediction(query, model, 3, parameters);
    int slices = 0;
    for (; !prediction.done(); ++slices) prediction.Advance();
    EXPECT_EQ(slices, expected_slices);
    EXPECT_EQ(prediction.Take().SerializeAsString(), Predict(query, *model, 3).SerializeAsString());
  }
}

TEST(Predict, RefusesWrongShapesTypesAndNumbersThatAreNotFinite) {
  EXPECT_EQ(ReasonOf(CheckPredict(Of({1, 2, 3}, {3}), 2, 2)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict(Of({1, 2, 3}, {1, 3}), 2, 2)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict(Of({1, 2}, {1, 1, 2}), 2, 2)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict(Of({}, {0, 2}), 2, 2)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict(Of({1}, {}), 1, 2)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict({}, 2, 2)), v1::ERROR_REASON_ARRAY_DTYPE_INVALID);
  EXPECT_EQ(ReasonOf(CheckPredict(Of({1, std::numeric_limits<double>::quiet_NaN()}, {2}), 2, 2)),
            v1::ERROR_REASON_DATA_MALFORMED);
}

TEST(Predict, RefusesWhatIsTooLargeToAskOrToAnswer) {
  const int64_t rows = kMaxPredictBytes / static_cast<int64_t>(sizeof(double));
  const v1::PredictQuery largest = Of(std::vector<double>(rows), {rows, 1});
  EXPECT_TRUE(CheckPredict(largest, 1, 1).ok());
  EXPECT_EQ(ReasonOf(CheckPredict(largest, 1, 10)), v1::ERROR_REASON_REQUEST_TOO_LARGE);
  const v1::PredictQuery larger = Of(std::vector<double>(rows + 1), {rows + 1, 1});
  EXPECT_EQ(ReasonOf(CheckPredict(larger, 1, 1)), v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

TEST(CheckStateSize, RefusesAStateVectorTooLargeForAnAnswer) {
  EXPECT_TRUE(CheckStateSize(kMaxStateParameters).ok());
  EXPECT_EQ(ReasonOf(CheckStateSize(kMaxStateParameters + 1)), v1::ERROR_REASON_STATE_TOO_LARGE);
}

}  // namespace
}  // namespace pilothouse::trainer
