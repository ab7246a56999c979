// Which examples a run learns from, and which it is only scored on. Pure and thread-safe. Error fields are relative to
// RunSpec.
#ifndef PILOTHOUSE_TRAINER_DATA_SPLIT_H_
#define PILOTHOUSE_TRAINER_DATA_SPLIT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

// How many of `examples` are held out: `fraction` of them, rounded to the nearest whole number, or `count`; 0 where
// neither is given. Error: SPEC_INVALID, blaming "data.validation_fraction" or "data.validation_examples", unless the
// fraction lies between 0 and 1 and at least one example is held out and one is left; or if both are given.
absl::StatusOr<int64_t> CountHeldOut(std::optional<double> fraction, std::optional<int64_t> count, int64_t examples);

// How many examples the parts beside the training part have.
struct PartCounts {
  int64_t validation = 0;
  int64_t test = 0;
};

// The rows of each part, from 0, ascending. Together they are all rows, each once.
struct Split {
  std::vector<int64_t> training;
  // Scored while the run goes on.
  std::vector<int64_t> validation;
  // Kept for the end: nothing that a run does or decides depends on them.
  std::vector<int64_t> test;
};

enum class SplitMethod {
  kRandom,  // drawn, each example as likely as any other
  // The last rows are the test part, those before them the validation part: for examples in the order of time.
  kTail,
  // Drawn like kRandom, but of each class as many as there should be of it, by largest remainder: a class with c of n
  // examples gets c·p/n of a part of p, rounded down; what is then missing goes to the largest remainders, of equal
  // ones to the lower class. For the validation part, c and n are what the test part left.
  kStratified,
};

// Splits `rows` rows. `seed` decides what is drawn, not the seed of a run: runs on the same data are measured on the
// same examples whatever their seeds, and a run that goes on from the parameters of another has not learnt from what it
// is measured on. The test part is drawn first, so that it does not depend on how many examples are held out for
// validation; a larger part contains a smaller one (not where stratified). `classes` has the class of each row, from 0;
// only kStratified looks at it.
// REQUIRES: no count is negative, and their sum is less than `rows`; for kStratified, classes.size() == rows.
Split SplitRows(int64_t rows, PartCounts counts, SplitMethod method, uint64_t seed,
                absl::Span<const int32_t> classes = {});

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_SPLIT_H_
