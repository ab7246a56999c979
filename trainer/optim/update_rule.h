// How parameters follow from gradients. In the formulas of the rules θ are the parameters, η is eta, λ weight_decay,
// and g the gradient as ShapedGradient gives it; operations on vectors are element by element.
#ifndef PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_
#define PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/matrix.h"
#include "trainer/optim/kept_vectors.h"
#include "trainer/optim/shaped_gradient.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

// T is float or double. What it keeps from one update to the next it saves as tensors "optimizer.<what>", with its kind
// as the text "optimizer". Restore refuses what a rule of another kind, size or precision has saved.
template <typename T>
class UpdateRule : public Stateful {
 public:
  // Makes one update. Once it was called with the same settings, it allocates nothing. REQUIRES: parameters.size() and
  // gradient.size() are what the rule was made for; the settings of its kind lie within their bounds.
  virtual void Update(const UpdateSettings& settings, const Vector<T>& gradient, Vector<T>& parameters) = 0;
  // Where an update is θ ← θ − step·g and nothing else, with g the gradient as it is: the step.
  virtual std::optional<T> PlainStep(const UpdateSettings& /*settings*/) const { return std::nullopt; }
  // Forgets every update.
  void Reset() { kept_.Reset(); }

  void Save(SavedState& state) const final { kept_.Save(state); }
  absl::Status Restore(const SavedState& state) final { return kept_.Restore(state); }

 protected:
  // Everything that the rule keeps is kept here, so that all of it is saved: vectors of these names with a number for
  // each parameter, and how many updates were made, if it counts them.
  UpdateRule(OptimizerKind kind, int64_t parameters, std::vector<std::string> names = {}, bool counts_updates = false)
      : kept_(kind, parameters, std::move(names), counts_updates) {}

  Vector<T>& Kept(size_t index) { return kept_[index]; }
  // As in KeptVectors.
  double NextUpdate() { return kept_.NextUpdate(); }
  // As ShapedGradient::Of.
  const Vector<T>& Shaped(const UpdateSettings& settings, const Vector<T>& gradient, const Vector<T>& parameters) {
    return shaped_.Of(settings, gradient, parameters);
  }

 private:
  KeptVectors<T> kept_;
  ShapedGradient<T> shaped_;
};

// A rule of the kind for so many parameters, as before any update. T is float or double.
template <typename T>
std::unique_ptr<UpdateRule<T>> MakeUpdateRule(OptimizerKind kind, int64_t parameters);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_
