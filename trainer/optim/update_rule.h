// How parameters follow from a gradient.
#ifndef PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_
#define PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_

#include "trainer/checkpoint/saved_state.h"
#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// T is float or double. What it keeps from one update to the next, momentum say, it saves as tensors
// "optimizer.<what>".
template <typename T>
class UpdateRule : public Stateful {
 public:
  // Makes one step with learning rate `eta`. REQUIRES: parameters.size() == gradient.size(), the same in every call.
  virtual void Update(double eta, const Vector<T>& gradient, Vector<T>& parameters) = 0;
  // Forgets every update.
  virtual void Reset() = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_UPDATE_RULE_H_
