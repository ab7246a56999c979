// The training loop by itself, on the smallest network there is.
#ifndef PILOTHOUSE_TESTS_BENCH_BARE_LOOP_H_
#define PILOTHOUSE_TESTS_BENCH_BARE_LOOP_H_

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/plugin/change.h"

namespace pilothouse::bench {

// A benchmark that cannot do its work says why and ends.
template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::abort();
}

// A folder of its own below the system's for temporary files; to be removed by the caller.
std::string MakeTemporaryFolder();

// Trains the 2-2-1 tanh network on the four XOR patterns (float64, full batch) for so many batches with these plugins,
// and returns how long the loop took, its stop included. Writes below `directory`.
double SecondsOfBareLoop(const std::string& directory, int64_t batches, std::vector<trainer::PluginSpec> plugins);

// The same for the learner's steps alone, without a loop.
double SecondsOfBareSteps(const std::string& directory, int64_t batches);

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_BARE_LOOP_H_
