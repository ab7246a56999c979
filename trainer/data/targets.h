// Whether the examples fit the network and the loss. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_DATA_TARGETS_H_
#define PILOTHOUSE_TRAINER_DATA_TARGETS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "trainer/data/dataset.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {

// NET_DATA_MISMATCH unless `inputs` has as many columns as the network takes.
absl::Status CheckInputWidth(int64_t network_inputs, const NumberTable& inputs);

// Checks `targets` for a network of `outputs` outputs, and brings them into the form in which the loss takes them:
//   cross_entropy         one column of labels, whole numbers from 0 to outputs − 1. One-hot rows (`outputs` columns of
//                         zeros with a single one) are turned into labels.
//   binary_cross_entropy  `outputs` columns of numbers from 0 to 1
//   mse, half_mse         `outputs` columns
// Errors: NET_DATA_MISMATCH, LABEL_OUT_OF_RANGE, DATA_MALFORMED (a value that the loss does not take, with its row).
absl::Status PrepareTargets(LossFunction loss, int64_t outputs, NumberTable& targets);

// The class of each example, of targets that PrepareTargets has prepared: the label (cross_entropy), or 1 for a target
// of 0.5 or more and 0 for one below (binary_cross_entropy with one output). Empty for what has no classes:
// regressions, and examples that may be of several classes at once.
std::vector<int32_t> ClassesOf(LossFunction loss, int64_t outputs, const NumberTable& targets);

// DATA_MALFORMED if among `rows`, those to learn from, all are of one class: for cross_entropy all labels are alike,
// for binary_cross_entropy with one output all targets. Whatever the inputs, a network would learn the one answer. Of
// regressions, all targets may be alike: a constant is as good a function to learn as any, though r2 is then unset.
absl::Status CheckVariety(LossFunction loss, int64_t outputs, const NumberTable& targets,
                          absl::Span<const int64_t> rows);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_TARGETS_H_
