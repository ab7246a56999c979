#include "trainer/loop/wish_names.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trainer/checkpoint/json_text.h"

namespace pilothouse::trainer {
namespace {

constexpr char kText[] = "wishes";
constexpr char kLine[] = "-line-";

}  // namespace

std::string WishNames::Next(const std::string& plugin, int64_t batch) {
  if (std::exchange(batch_, batch) != batch) asked_.clear();
  return absl::StrCat("plugin-", plugin, "-", batch, "-", ++asked_[plugin]);
}

std::string WishNames::OnLine(const std::string& name, int64_t line) {
  return line == 0 ? name : absl::StrCat(name, kLine, line);
}

bool WishNames::IsOf(absl::string_view request_id, absl::string_view name) {
  return absl::ConsumePrefix(&request_id, name) && (request_id.empty() || absl::StartsWith(request_id, kLine));
}

void WishNames::Save(SavedState& state) const {
  state.texts[kText] = nlohmann::json{{"batch", batch_}, {"asked", asked_}}.dump();
}

absl::Status WishNames::Restore(const SavedState& state) {
  return ReadText(state, kText, [this](const nlohmann::json& json) {
    WishNames restored;
    json.at("batch").get_to(restored.batch_);
    json.at("asked").get_to(restored.asked_);
    *this = std::move(restored);
  });
}

}  // namespace pilothouse::trainer
