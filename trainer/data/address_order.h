// Addresses that one thread leaves, and another is given.
#ifndef PILOTHOUSE_TRAINER_DATA_ADDRESS_ORDER_H_
#define PILOTHOUSE_TRAINER_DATA_ADDRESS_ORDER_H_

#include <atomic>

namespace pilothouse::trainer {

// To be called before addresses are given back to the system, and after some were had with mremap(). The system gives
// them to another thread in an order that C++ does not know of: what one did there before it left comes before what
// the next does. Without it, ThreadSanitizer, which does not see mremap(), calls that a race. Thread-safe.
inline void OrderAddresses() {
  static std::atomic<int> order{0};
  order.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ADDRESS_ORDER_H_
