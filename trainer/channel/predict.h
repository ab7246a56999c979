// Answering what a network makes of given inputs. The functions are pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_
#define PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/loop/learner.h"

namespace pilothouse::trainer {

// OK if `inputs` is an array of shape [rows, inputs] or [inputs] with at least one row and finite values, and neither
// it nor what comes out is too large for a message. Otherwise ARRAY_SHAPE_INVALID, ARRAY_DTYPE_INVALID, DATA_MALFORMED
// or REQUEST_TOO_LARGE, blaming "inputs".
absl::Status CheckPredict(const v1::PredictQuery& query, int64_t network_inputs, int64_t network_outputs);

// REQUIRES: CheckPredict is OK for this model's network.
v1::PredictAnswer Predict(const v1::PredictQuery& query, const Model& model, int64_t batch);

// The same in slices of rows, so that whoever computes it can do something else in between, or give up. Holds no copy
// of the inputs. Not thread-safe.
class SlicedPrediction {
 public:
  // `query` outlives this. `parameters`: how many the model has; the more, the fewer rows a slice has.
  SlicedPrediction(const v1::PredictQuery& query, std::shared_ptr<const Model> model, int64_t batch,
                   int64_t parameters);

  bool done() const { return next_row_ == rows_; }
  // Computes the next slice. REQUIRES: !done().
  void Advance();
  // The answer. REQUIRES: done(). Call once.
  v1::PredictAnswer Take() { return std::move(answer_); }

 private:
  const v1::PredictQuery& query_;
  const std::shared_ptr<const Model> model_;
  const int64_t rows_;
  const int64_t slice_rows_;
  int64_t next_row_ = 0;
  v1::PredictAnswer answer_;
};

// OK if a state vector of so many parameters can be returned, else STATE_TOO_LARGE.
absl::Status CheckStateSize(int64_t parameters);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_
