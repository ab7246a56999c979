// What a network has come to by learning.
#ifndef PILOTHOUSE_TRAINER_NET_LEARNT_H_
#define PILOTHOUSE_TRAINER_NET_LEARNT_H_

#include "trainer/net/matrix.h"

namespace pilothouse::trainer {

// T is float or double. NetworkPlan says how both are made up.
template <typename T>
struct Learnt {
  // The state vector, [plan.parameters].
  Vector<T> parameters;
  // Of batch norms, [plan.statistics]: means and variances of what they have met, which no gradient leads to.
  Vector<T> statistics;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_LEARNT_H_
