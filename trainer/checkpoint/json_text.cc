#include "trainer/checkpoint/json_text.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr char kNan[] = "NaN";
constexpr char kInfinity[] = "Infinity";
constexpr char kMinusInfinity[] = "-Infinity";

absl::Status Missing(const std::string& name) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The checkpoint does not say what it should about \"", name, "\"."), {{"text", name}});
}

}  // namespace

nlohmann::json ToJson(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return kNan;
  return value > 0 ? kInfinity : kMinusInfinity;
}

double NumberFrom(const nlohmann::json& json) {
  if (json == kNan) return std::numeric_limits<double>::quiet_NaN();
  if (json == kInfinity) return std::numeric_limits<double>::infinity();
  if (json == kMinusInfinity) return -std::numeric_limits<double>::infinity();
  return json.get<double>();
}

absl::Status ReadText(const SavedState& state, const std::string& name,
                      const std::function<void(const nlohmann::json&)>& read) {
  const auto text = state.texts.find(name);
  if (text == state.texts.end()) return Missing(name);
  const nlohmann::json json = nlohmann::json::parse(text->second, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Missing(name);
  try {
    read(json);
  } catch (const nlohmann::json::exception&) {
    return Missing(name);
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
