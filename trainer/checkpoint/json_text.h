// The JSON texts of a checkpoint.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_JSON_TEXT_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_JSON_TEXT_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "trainer/checkpoint/saved_state.h"

namespace pilothouse::trainer {

// A number as JSON, and back: exact, and also where it is NaN or infinite, which JSON does not know.
nlohmann::json ToJson(double value);
double NumberFrom(const nlohmann::json& json);

// Gives a text to `read`, which uses the accessors of nlohmann::json that throw. DATA_MALFORMED if there is no such
// text, or it does not hold what `read` looks for; `read` must change nothing before it has read all.
absl::Status ReadText(const SavedState& state, const std::string& name,
                      const std::function<void(const nlohmann::json&)>& read);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_JSON_TEXT_H_
