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
#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/model.h"
#include "trainer/net/number_array.h"
#include "trainer/optim/update_settings.h"
#include "trainer/plugin/run_view.h"

namespace pilothouse::trainer {

// A layer as it was built: "Affine 64→128", its outputs and parameters.
struct LayerFacts {
  std::string description;
  int64_t outputs = 0;
  int64_t parameters = 0;
};

// Constant after construction.
struct LearnerFacts {
  int64_t examples = 0;             // to learn from
  int64_t validation_examples = 0;  // held out
  int64_t test_examples = 0;        // kept for the end
  int64_t inputs = 0;               // per example
  int64_t outputs = 0;              // of the network
  int64_t parameters = 0;
  int64_t batches_per_epoch = 1;
  int64_t batch_size = 1;  // of every batch but an epoch's last
  std::vector<LayerFacts> layers;
  // How the state vector and the gradient are made up.
  std::vector<ParameterBlock> blocks;
  // What its validations have beside the loss, as in ScoresOfValidations() (validation.h), as far as loss and outputs
  // tell. Empty: that is not known.
  std::vector<std::string> scores = {};
  // As in Dataset.
  std::vector<std::string> input_names = {};
};

// Examples that a run does not learn from: see Learner::Validate and Learner::Test.
enum class HeldOutPart { kValidation, kTest };

// Learns. All calls come from one thread, the training thread.
//
// Save and Restore are about all that its next steps and validations depend on, save the examples: the parameters and
// the running statistics of batch norms, as in Model::Save, and what the update rule remembers. Save copies them once.
// What standardisation measured is saved for those who predict; it stays the learner's own when it is restored.
class Learner : public Stateful {
 public:
  // The parameters and all else as at the beginning of the run, before any batch.
  virtual void Reset() = 0;

  // Makes learning step number `batch` (the first is 1) with these settings, which lie within their bounds. Returns the
  // loss of the parameters before the update on that batch's examples. If that is NaN or infinite, the update is not
  // made, and running statistics stay.
  virtual double Step(int64_t batch, const UpdateSettings& settings) = 0;

  // Copies the parameters.
  virtual std::shared_ptr<const Model> Snapshot() const = 0;

  // Replaces the parameters, and running statistics, by those that Model::Save() wrote to `path`, in this run or
  // another of the same network, or by those of a checkpoint. The optimizer begins anew: what it kept of former updates
  // is forgotten. What standardisation measured stays this run's own. Errors, with nothing changed: FILE_NOT_FOUND, or
  // DATA_MALFORMED if it is damaged or belongs to a network of another shape or precision.
  virtual absl::Status Load(const std::string& path) = 0;

  // As in RunView. After Load they are still those of the last batch; after Reset and Restore, as before the first.
  virtual NumberArray Gradient() const = 0;
  virtual std::vector<Activations> LayerActivations() const = 0;

  // Scores the parameters as they are on the examples held out; `batch` is copied into the answer. Always in the same
  // order, so the same parameters give the same bits. NO_VALIDATION_DATA if none are held out.
  virtual absl::StatusOr<Validation> Validate(int64_t batch) = 0;

  // The same on the examples that were kept for the end. Nothing in a run may depend on the answer: whoever picks,
  // among parameters or settings, by what they score here has learnt from these examples. NO_TEST_DATA if there are
  // none.
  virtual absl::StatusOr<Validation> Test(int64_t batch) = 0;

  virtual const LearnerFacts& facts() const = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LEARNER_H_
