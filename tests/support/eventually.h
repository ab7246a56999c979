// Waiting for what announces itself to nobody: files that vanish, processes that end.
#ifndef PILOTHOUSE_TESTS_SUPPORT_EVENTUALLY_H_
#define PILOTHOUSE_TESTS_SUPPORT_EVENTUALLY_H_

#include <chrono>
#include <functional>
#include <thread>

namespace pilothouse::testing {

// Asks again and again until `holds` is true; false if it has not been for all of `patience`. Wherever something can be
// waited for, wait for that instead.
inline bool Eventually(const std::function<bool()>& holds, std::chrono::seconds patience = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_SUPPORT_EVENTUALLY_H_
