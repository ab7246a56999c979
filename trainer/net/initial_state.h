// What a network begins with.
#ifndef PILOTHOUSE_TRAINER_NET_INITIAL_STATE_H_
#define PILOTHOUSE_TRAINER_NET_INITIAL_STATE_H_

#include <cstdint>

#include "trainer/net/matrix.h"
#include "trainer/net/network_plan.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// The state vector that `network` gives, or else what its initializer draws from `seed`. Parameter i depends on the
// seed, on i and on its layer alone, and is drawn in double, so that float and double networks begin alike. REQUIRES:
// ValidateNetwork is OK. T is float or double. Thread-safe.
template <typename T>
Vector<T> InitialState(const NetworkSpec& network, uint64_t seed);

// The running statistics before any batch: means 0 and variances 1. T is float or double. Thread-safe.
template <typename T>
Vector<T> InitialStatistics(const NetworkPlan& plan);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_INITIAL_STATE_H_
