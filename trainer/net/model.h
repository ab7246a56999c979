// Parameters at one batch and what they compute, whatever network they belong to.
#ifndef PILOTHOUSE_TRAINER_NET_MODEL_H_
#define PILOTHOUSE_TRAINER_NET_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "trainer/net/number_array.h"

namespace pilothouse::trainer {

// Rows that are predicted together. Predictions in pieces of whole multiples of it give the same bits as one for all.
inline constexpr int64_t kPredictBlockRows = 256;

// Immutable, so safe to use from any thread.
class Model {
 public:
  virtual ~Model() = default;

  // The state vector, shape [parameters]: layer by layer, weights [inputs][outputs] row-major, then biases; in the
  // run's precision.
  virtual NumberArray State() const = 0;

  // A model that differs from this one in its parameters only: the running statistics of batch norms stay. REQUIRES:
  // `state` has the shape and type of State().
  virtual std::shared_ptr<const Model> With(const NumberArray& state) const = 0;

  // Outputs of shape [rows, outputs] in the run's precision for `inputs` of shape [rows, inputs], row-major, as they
  // would be given to training (standardisation is applied here). Probabilities for the cross-entropies.
  // REQUIRES: inputs.size() == rows · facts().inputs.
  virtual NumberArray Predict(absl::Span<const double> inputs, int64_t rows) const = 0;

  // Writes the parameters, and what batch norms and standardisation need, as a safetensors file: to a temporary file
  // beside `path`, synced, then renamed, so that `path` is never half written.
  virtual absl::Status Save(const std::string& path, int64_t batch) const = 0;

  // Whether a file holds parameters that could take the place of these: what Save of the same network wrote, whatever
  // their values. FILE_NOT_FOUND or DATA_MALFORMED otherwise.
  virtual absl::Status CheckFile(const std::string& path) const = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_MODEL_H_
