#include "trainer/loop/wish_names.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trainer/checkpoint/json_text.h"

namespace pilothouse::trainer {
namespace {

constexpr char kText[] = "wishes";

}  // namespace

std::string WishNames::Next(const std::string& plugin, int64_t batch) {
  if (std::exchange(batch_, batch) != batch) asked_.clear();
  return absl::StrCat("plugin-", plugin, "-", batch, "-", ++asked_[plugin]);
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
