// Holding examples out: those that a run is scored on and never learns from. Pure and thread-safe. Error fields are
// relative to RunSpec.
#ifndef PILOTHOUSE_TRAINER_DATA_SPLIT_H_
#define PILOTHOUSE_TRAINER_DATA_SPLIT_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "trainer/data/batcher.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {

// How many of `examples` are held out: `fraction` of them, rounded to the nearest whole number, or `count`; 0 where
// neither is given. Error: SPEC_INVALID, blaming "data.validation_fraction" or "data.validation_examples", unless the
// fraction lies between 0 and 1 and at least one example is held out and one is left; or if both are given.
absl::StatusOr<int64_t> CountHeldOut(std::optional<double> fraction, std::optional<int64_t> count, int64_t examples);

struct Split {
  Dataset training;
  Dataset validation;
};

// Holds `count` examples out: the last ones where the order is kept, otherwise random ones, always the same. Runs on
// the same data are so measured on the same examples whatever their seeds, and a run that goes on from the parameters
// of another has not learnt from what it is measured on. Both parts keep the order of `data`, and its row numbers.
// REQUIRES: 0 < count < rows of `data`.
Split HoldOut(const Dataset& data, int64_t count, ExampleOrder order);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_SPLIT_H_
