// What takes part in a comparison: something that trains, or does a part of what training does, batch by batch.
#ifndef PILOTHOUSE_TESTS_BENCH_CONTESTANT_H_
#define PILOTHOUSE_TESTS_BENCH_CONTESTANT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pilothouse::bench {

class Contestant {
 public:
  virtual ~Contestant() = default;

  // Goes on by so many batches, more than none, and returns the loss of the last; 0 where there is none.
  virtual double Run(int64_t batches) = 0;
};

struct Entry {
  // SUBJECT/WHO, as in "64x128rx64rx10@32/products-blis". Losses of one subject that are not 0 are to be the same.
  std::string name;
  // NotFoundError, with what would have to be installed, if what is measured is not on this machine.
  std::function<absl::StatusOr<std::unique_ptr<Contestant>>()> make;
};

// The 2-2-1 tanh network on the four XOR patterns, float64, full batch: by the engine, and by hand.
std::vector<Entry> XorEntries();

// Classifiers of random examples, float32, plain gradient descent: by the engine, in the order of the data and
// shuffled.
std::vector<Entry> ClassifierEntries();

// Nothing but the matrix products of those classifiers' learning steps.
std::vector<Entry> ProductEntries();

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_CONTESTANT_H_
