// What a plugin may look at: the run between two batches, by documented names.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_RUN_VIEW_H_
#define PILOTHOUSE_TRAINER_PLUGIN_RUN_VIEW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/net/model.h"
#include "trainer/net/number_array.h"
#include "trainer/plugin/timeline.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {

// Part of the state vector and of the gradient: "layers.0.weight" of shape [inputs, outputs], or, of a norm, its gains
// [outputs]; "layers.0.bias" of shape [outputs]; the number is the layer's place in the spec, from 0.
struct ParameterBlock {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset = 0;
  int64_t size = 0;
};

// What a layer gave for the last batch's examples: "layers.1", shape [examples, outputs].
struct Activations {
  std::string layer;
  // Its function gives exactly 0 for whatever it is not moved by, as ReLU does: a unit that is 0 for all examples is
  // dead.
  bool can_die = false;
  NumberArray values;
};

// The run as a plugin sees it. What changes it is asked for by PluginContext::Ask. All calls on the training thread,
// while the plugin runs.
class RunView {
 public:
  virtual ~RunView() = default;

  virtual const std::string& run_id() const = 0;
  // The run's directory, absolute.
  virtual const std::string& directory() const = 0;

  // Batches learnt, the batch it trains up to, and the loss of `batch` (−1 before any; may be NaN or infinite).
  virtual int64_t batch() const = 0;
  virtual int64_t target() const = 0;
  virtual double loss() const = 0;
  // The value of a knob now. KNOB_UNKNOWN.
  virtual absl::StatusOr<double> Knob(absl::string_view name) const = 0;
  virtual const RunTimelines& timelines() const = 0;

  // The parameters after `batch`: a copy, made once per batch however many ask.
  virtual std::shared_ptr<const Model> Parameters() = 0;
  // How the state vector and the gradient are made up.
  virtual const std::vector<ParameterBlock>& blocks() const = 0;
  // The gradient of the last batch's loss, shape [parameters]; zeros before any batch.
  virtual NumberArray Gradient() const = 0;
  // What each layer gave for the last batch; empty before any batch.
  virtual std::vector<Activations> LayerActivations() const = 0;

  // Scores the parameters on the examples held out, once per batch however many ask; plugins at after_validation run
  // when the plugin that asked has returned. NO_VALIDATION_DATA if none are held out.
  virtual absl::StatusOr<Validation> Validate() = 0;
  // The newest validation; nullopt before any, and where the parameters were replaced since.
  virtual const std::optional<Validation>& validation() const = 0;
  // How many were made, by whomever: a larger number than before a call means that the call made one.
  virtual int64_t validations() const = 0;

  // A view by its name: one of ViewNames() or a knob's name. nullopt: it has no value yet (no validation, say; no loss
  // before any batch).
  // PLUGIN_SETTING_INVALID, listing the names, for any other.
  absl::StatusOr<std::optional<double>> Value(absl::string_view name) const;
};

// The names of the single numbers that plugins can look at, besides the knobs' ("eta" is one of them):
//   batch, target, loss, examples, epoch (may have a fraction), wall_time, training_time (seconds),
//   validation_loss, validation_accuracy, validation_balanced_accuracy, validation_roc_auc, validation_r2,
//   validation_mae
const std::vector<std::string>& ViewNames();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_RUN_VIEW_H_
