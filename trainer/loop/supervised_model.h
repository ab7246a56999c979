// Parameters at one batch, and what they compute: the Model of the native learner.
#ifndef PILOTHOUSE_TRAINER_LOOP_SUPERVISED_MODEL_H_
#define PILOTHOUSE_TRAINER_LOOP_SUPERVISED_MODEL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/data/standardization.h"
#include "trainer/net/learnt.h"
#include "trainer/net/model.h"
#include "trainer/net/network_plan.h"
#include "trainer/plugin/run_view.h"

namespace pilothouse::trainer {

// What all models of a run have in common.
struct ModelFrame {
  NetworkPlan plan;
  // Unset: inputs are taken as they are.
  std::optional<Standardization> standardization;
};

// The parts of the state vector, in its order.
std::vector<ParameterBlock> ParameterBlocks(const NetworkPlan& plan);

// Adds what makes a file one of parameters, whatever else it holds: tensors "layers.<i>.weight" [inputs, outputs] (of a
// norm: its gains [outputs]) and "layers.<i>.bias" [outputs], i being the layer's place in the spec from 0; of a batch
// norm also "layers.<i>.running_mean" and "layers.<i>.running_var" [outputs]; all of these in T; with standardisation
// "standardize.mean" and "standardize.deviation" [inputs] in float64; and the text "precision". `parameters` and
// `statistics` are of the plan's sizes, and `owner` keeps them where they are.
template <typename T>
void AddModel(const std::shared_ptr<const ModelFrame>& frame, const T* parameters, const T* statistics,
              const std::shared_ptr<const void>& owner, SavedState& state);

// Takes out what AddModel gave. DATA_MALFORMED if a tensor is missing or of another type or shape, or a running
// variance is negative.
template <typename T>
absl::StatusOr<Learnt<T>> LearntIn(const NetworkPlan& plan, const SavedState& state);

// T is float or double.
//
// Save() writes what AddModel adds, and the text "batch".
template <typename T>
class SupervisedModel final : public Model {
 public:
  SupervisedModel(std::shared_ptr<const ModelFrame> frame, Learnt<T> learnt);

  // What Save() wrote, or a whole checkpoint, of which what plugins and the update rule remember is passed over. Error:
  // DATA_MALFORMED if a tensor is missing, of another type or shape, or not known, or if it has standardisation and
  // `standardize` is false, or the other way round.
  static absl::StatusOr<std::shared_ptr<const SupervisedModel>> FromFile(const NetworkPlan& plan, bool standardize,
                                                                         const SavedState& contents);

  const Learnt<T>& learnt() const { return learnt_; }

  NumberArray State() const override;
  std::shared_ptr<const Model> With(const NumberArray& state) const override;
  NumberArray Predict(absl::Span<const double> inputs, int64_t rows) const override;
  absl::Status Save(const std::string& path, int64_t batch) const override;
  absl::Status CheckFile(const std::string& path) const override;

 private:
  const std::shared_ptr<const ModelFrame> frame_;
  const Learnt<T> learnt_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SUPERVISED_MODEL_H_
