// What is done to a gradient before an update is made of it, each only where its setting is not 0, in this order:
//
//   clip_norm c      g ← g · min(1, c / ‖g‖)    ‖g‖ is the L2 norm of the whole gradient
//   clip_value c     g ← max(−c, min(c, g))
//   weight_decay λ   g ← g + λ·θ
#ifndef PILOTHOUSE_TRAINER_OPTIM_SHAPED_GRADIENT_H_
#define PILOTHOUSE_TRAINER_OPTIM_SHAPED_GRADIENT_H_

#include "trainer/net/matrix.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {

// Whether none of it is to be done.
inline bool LeavesGradient(const UpdateSettings& settings) {
  return settings.clip_norm == 0 && settings.clip_value == 0 && settings.weight_decay == 0;
}

// T is float or double. Not thread-safe.
template <typename T>
class ShapedGradient {
 public:
  // The gradient to go by: `gradient` itself where nothing is to be done, else a vector that is valid until the next
  // call. REQUIRES: parameters.size() == gradient.size().
  const Vector<T>& Of(const UpdateSettings& settings, const Vector<T>& gradient, const Vector<T>& parameters);
  // It would be gone when it is looked at.
  const Vector<T>& Of(const UpdateSettings& settings, Vector<T>&& gradient, const Vector<T>& parameters) = delete;

 private:
  // Empty until it is needed for the first time.
  Vector<T> shaped_;
};

// The L2 norm, summed in double and always in the same order.
template <typename T>
double NormOf(const Vector<T>& gradient);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_SHAPED_GRADIENT_H_
