// Whether the weights of examples make sense. A weight says how much an example counts, as if it were there so many
// times: in losses (trainer/net/loss.h), scores (trainer/loop/scorer.h) and what standardisation measures. Pure and
// thread-safe.
#ifndef PILOTHOUSE_TRAINER_DATA_WEIGHTS_H_
#define PILOTHOUSE_TRAINER_DATA_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/data/dataset.h"

namespace pilothouse::trainer {

// The weights of a part add up to something between these, so that their products with losses and squares neither
// overflow nor vanish.
inline constexpr double kLeastWeightSum = 1e-100;
inline constexpr double kLargestWeightSum = 1e100;

// DATA_MALFORMED, with the row, for a weight that is negative or not finite; ARRAY_SHAPE_INVALID if there are not as
// many as rows.
absl::Status CheckWeights(const Dataset& data);

// Takes those of weight 0 out of `rows`, those of a part: nothing can be learnt from them, nor do they change a score,
// and what is left counts in the mean weight. `part` names it in messages: "training part". DATA_MALFORMED if none are
// left of a part that had some, their weights add up to too much or too little, or one, whose row is named, is less
// than kLeastWeightRatio (trainer/net/loss.h) times their mean. An old run may have one so small; its part in a
// gradient of float32 may be 0.
absl::Status LeaveOutWeightless(const Dataset& data, absl::string_view part, std::vector<int64_t>& rows,
                                RunAge age = RunAge::kNew);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_WEIGHTS_H_
