// The native learner: a network, a loss, a dataset and an update rule, in float32 or float64.
//
//   absl::StatusOr<Dataset> data = ReadTable(path, {});
//   absl::StatusOr<std::unique_ptr<Learner>> learner = MakeLearner(spec, *std::move(data));
//
// The same spec, data and sequence of (batch, settings) give bit-identical parameters on the same build and kind of
// machine. Error fields are relative to RunSpec ("network.layers", "batch_size").
#ifndef PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_
#define PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/loop/learner.h"
#include "trainer/net/network_spec.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

// Examples per batch where the spec names no number.
inline constexpr int64_t kDefaultBatchSize = 32;
// Most numbers that one batch may need as results of layers: 8 GiB in float64.
inline constexpr int64_t kMaxBatchActivations = int64_t{1} << 30;

// Fields as in RunSpec, where they are described.
struct LearnerSpec {
  NetworkSpec network;
  LossFunction loss = LossFunction::kCrossEntropy;
  OptimizerKind optimizer = OptimizerKind::kGradientDescent;
  Precision precision = Precision::kFloat32;
  // Unset: kDefaultBatchSize, or all examples to learn from where there are fewer.
  std::optional<int64_t> batch_size;
  bool full_batch = false;
  bool keep_order = false;
  uint64_t seed = 0;
  // Threads that compute, the training thread among them: from 1 to kMaxThreads. No bit of the result depends on it.
  int threads = 1;
  bool standardize = false;
  // At most one of these; neither: no examples are held out.
  std::optional<double> validation_fraction;
  std::optional<int64_t> validation_examples;
};

// Checks the whole spec and that network, loss and data fit. Step() allocates nothing once the largest batch was seen.
//
// Errors: NET_INVALID, NET_LOSS_MISMATCH, NET_DATA_MISMATCH, LABEL_OUT_OF_RANGE, ARRAY_SHAPE_INVALID (initial_state),
// DATA_MALFORMED (a target the loss cannot take, a number too large for float32), SPEC_INVALID (batching, holding out,
// threads; a batch of one example where there are batch norms).
absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const LearnerSpec& spec, Dataset&& data);

struct SavedModel {
  std::shared_ptr<const Model> model;
  // The batch at which it was saved.
  int64_t batch = 0;
};

// Reads what Model::Save() wrote in a run of this spec, or a checkpoint of it. Errors: those of a bad network,
// NO_PARAMETERS if there is no such file, DATA_MALFORMED if it is damaged or belongs to a network of another shape or
// precision.
absl::StatusOr<SavedModel> LoadModel(const LearnerSpec& spec, const std::string& path);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_
