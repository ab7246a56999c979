// The native learner: a network, a loss, a dataset and an update rule, in float32 or float64.
//
//   absl::StatusOr<Dataset> data = ReadTable(path, {});
//   absl::StatusOr<std::unique_ptr<Learner>> learner = MakeLearner(spec, *std::move(data));
//
// The same spec, data and sequence of (batch, settings) give bit-identical parameters on every x86-64 machine. Error
// fields are relative to RunSpec ("network.layers", "batch_size").
#ifndef PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_
#define PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/split.h"
#include "trainer/loop/learner.h"
#include "trainer/net/network_spec.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

// Examples per batch where the spec names no number.
inline constexpr int64_t kDefaultBatchSize = 32;
// Most numbers that one batch may need as results of layers: 8 GiB in float64.
inline constexpr int64_t kMaxBatchActivations = int64_t{1} << 30;

// Fields as in RunSpec, where they are described; those that have a description here are not in it.
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
  // At most one of these three; none: no examples are held out.
  std::optional<double> validation_fraction;
  std::optional<int64_t> validation_examples;
  // As people write it, see part_size.h: a fraction of all examples such as 0.2, a percentage such as 20%, or a number
  // of examples such as 100. A fraction is taken in exact decimals and rounded to the nearest number of examples, which
  // must be 1 or more, with at least one left to learn from.
  std::optional<std::string> validation_size;
  // Examples kept for the end, written like validation_size: the run neither learns from them nor is measured on them
  // while it goes on, and nothing it decides depends on them. They are scored when they are asked for. Unset: none.
  std::optional<std::string> test_size;
  // How both are chosen, see split.h. Unset: at random; with keep_order, the last examples. Only examples that have a
  // class can be stratified.
  std::optional<SplitMethod> split_method;
  // Decides which examples are drawn. It is apart from `seed`, so that runs on the same data are measured on the same
  // examples whatever their seeds. Without effect on what is taken from the tail.
  uint64_t split_seed = 0;
  // Whether it is for a run that begins. Of one that goes on, or is gone through again, neither examples of one class
  // only nor weights that are nothing beside others are refused: it may have been started before they were.
  bool is_new = true;
};

// Checks the whole spec and that network, loss and data fit. Step() allocates nothing once the largest batch was seen.
//
// Errors: NET_INVALID, NET_LOSS_MISMATCH, NET_DATA_MISMATCH, LABEL_OUT_OF_RANGE, ARRAY_SHAPE_INVALID (initial_state),
// DATA_MALFORMED (a target the loss cannot take, a number too large for float32, a weight that is none or too small
// beside others, a part in which no example counts, one class only), SPEC_INVALID (batching, splitting, threads; a
// batch of one example where there are batch norms).
//
// Weights of the data count in losses, scores and what standardisation measures as if each example were there so many
// times; not in the statistics of batch norms, which are those of the rows of a batch. The loss of a batch is Σ w·l
// over its examples divided by its rows times the mean weight of all examples to learn from (trainer/net/loss.h): how
// far a step goes for an example depends on its own weight, not on who else is in its batch. Which examples are held
// out and which make up a batch does not depend on them, but for those of weight 0: they are split like all others, and
// then left out of their part, as if they were not there.
absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const LearnerSpec& spec, Dataset&& data);

struct SavedModel {
  std::shared_ptr<const Model> model;
  // The batch at which it was saved.
  int64_t batch = 0;
};

// Reads what Model::Save() wrote in a run of this spec, or a checkpoint of it. Errors: those of a bad network,
// NO_PARAMETERS if there is no such file, CHECKPOINT_DAMAGED if its content has not the SHA-256 that is given,
// DATA_MALFORMED if it is damaged or belongs to a network of another shape or precision, those of ReadFileContent if it
// cannot be read.
absl::StatusOr<SavedModel> LoadModel(const LearnerSpec& spec, const std::string& path, const std::string& sha256 = "");

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SUPERVISED_LEARNER_H_
