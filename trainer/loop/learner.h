// What the training loop needs of whatever learns: a step, and an immutable picture of the parameters.
#ifndef PILOTHOUSE_TRAINER_LOOP_LEARNER_H_
#define PILOTHOUSE_TRAINER_LOOP_LEARNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/net/number_array.h"

namespace pilothouse::trainer {

// A layer as it was built: "Affine 64→128", its outputs and parameters.
struct LayerFacts {
  std::string description;
  int64_t outputs = 0;
  int64_t parameters = 0;
};

// Constant after construction.
struct LearnerFacts {
  int64_t examples = 0;
  int64_t inputs = 0;   // per example
  int64_t outputs = 0;  // of the network
  int64_t parameters = 0;
  int64_t batches_per_epoch = 0;
  std::vector<LayerFacts> layers;
};

// Rows that are predicted together. Predictions in pieces of whole multiples of it give the same bits as one for all.
inline constexpr int64_t kPredictBlockRows = 256;

// Parameters at one batch and what they compute. Immutable, so safe to use from any thread.
class Model {
 public:
  virtual ~Model() = default;

  // The state vector, shape [parameters]: layer by layer, weights [inputs][outputs] row-major, then biases; in the
  // run's precision.
  virtual NumberArray State() const = 0;

  // Outputs of shape [rows, outputs] in the run's precision for `inputs` of shape [rows, inputs], row-major, as they
  // would be given to training (standardisation is applied here). Probabilities for the cross-entropies.
  // REQUIRES: inputs.size() == rows · facts().inputs.
  virtual NumberArray Predict(absl::Span<const double> inputs, int64_t rows) const = 0;

  // Writes the parameters, and what standardisation needs, as a safetensors file: to a temporary file beside `path`,
  // synced, then renamed, so that `path` is never half written.
  virtual absl::Status Save(const std::string& path, int64_t batch) const = 0;
};

// Learns. All calls come from one thread, the training thread.
class Learner {
 public:
  virtual ~Learner() = default;

  // Makes learning step number `batch` (the first is 1) with learning rate `eta`. Returns the loss of the parameters
  // before the update on that batch's examples. If that is NaN or infinite, the update is not made.
  virtual double Step(int64_t batch, double eta) = 0;

  // Copies the parameters.
  virtual std::shared_ptr<const Model> Snapshot() const = 0;

  virtual const LearnerFacts& facts() const = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LEARNER_H_
