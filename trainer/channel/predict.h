// Answering what a network makes of given inputs. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_
#define PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_

#include <cstdint>

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

// OK if a state vector of so many parameters can be returned, else STATE_TOO_LARGE.
absl::Status CheckStateSize(int64_t parameters);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_PREDICT_H_
