#include "trainer/plugin/plugin_kind.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

constexpr absl::string_view kOfValidation = "validation_";

std::string SettingNames(const PluginKind& kind) {
  return absl::StrJoin(kind.settings, ", ",
                       [](std::string* out, const PluginSettingFacts& setting) { absl::StrAppend(out, setting.name); });
}

absl::Status UnknownSetting(const PluginKind& kind, const std::string& name, const std::string& value) {
  const std::string known = SettingNames(kind);
  return MakeError(v1::ERROR_REASON_PLUGIN_SETTING_INVALID, absl::StrCat("settings.", name),
                   absl::StrCat("The kind \"", kind.name, "\" has no setting \"", name, "\". ",
                                known.empty() ? "It has none" : absl::StrCat("It has: ", known), "."),
                   {{"setting", name}, {"value", value}, {"known", known}});
}

absl::Status CheckGiven(const PluginKind& kind, const std::map<std::string, std::string>& given) {
  for (const auto& [name, value] : given) {
    const bool known = std::any_of(kind.settings.begin(), kind.settings.end(),
                                   [&name = name](const PluginSettingFacts& setting) { return setting.name == name; });
    if (!known) return UnknownSetting(kind, name, value);
    if (value.size() <= kMaxPluginTextBytes) continue;
    return PluginSettings::Invalid(
        name, "", absl::StrCat("The setting \"", name, "\" is longer than ", kMaxPluginTextBytes, " bytes."));
  }
  return absl::OkStatus();
}

absl::Status CheckScore(absl::string_view view, absl::string_view setting, const std::vector<std::string>& possible) {
  absl::string_view name = view;
  const bool has = !absl::ConsumePrefix(&name, kOfValidation) || name == "loss" || possible.empty() ||
                   std::find(possible.begin(), possible.end(), std::string(name)) != possible.end();
  if (has) return absl::OkStatus();
  const std::string known =
      absl::StrCat(kOfValidation, "loss, ", kOfValidation, absl::StrJoin(possible, absl::StrCat(", ", kOfValidation)));
  return MakeError(
      v1::ERROR_REASON_PLUGIN_SETTING_INVALID, absl::StrCat("settings.", setting),
      absl::StrCat("With this loss and so many outputs validations have no ", view, "; they have ", known, "."),
      {{"setting", std::string(setting)}, {"value", std::string(view)}, {"known", known}});
}

}  // namespace

absl::Status CheckViewName(absl::string_view view, absl::string_view setting, const PluginSurroundings& surroundings) {
  std::vector<std::string> names = ViewNames();
  for (const std::string& knob : surroundings.knobs) {
    if (std::find(names.begin(), names.end(), knob) == names.end()) names.push_back(knob);
  }
  if (std::find(names.begin(), names.end(), std::string(view)) == names.end()) {
    const std::string known = absl::StrJoin(names, ", ");
    return MakeError(v1::ERROR_REASON_PLUGIN_SETTING_INVALID, absl::StrCat("settings.", setting),
                     absl::StrCat("A run has no \"", view, "\" to look at. It has: ", known, "."),
                     {{"setting", std::string(setting)}, {"value", std::string(view)}, {"known", known}});
  }
  if (absl::StartsWith(view, kOfValidation) && surroundings.validation_examples == 0) {
    return MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, absl::StrCat("settings.", setting),
                     absl::StrCat("There is no ", view, " to look at: the run holds no examples out. ", kHowToHoldOut));
  }
  return CheckScore(view, setting, surroundings.scores);
}

void PluginKinds::Register(PluginKind kind) {
  assert(!kind.name.empty() && kind.make != nullptr && kinds_.count(kind.name) == 0);
  std::string name = kind.name;
  kinds_.emplace(std::move(name), std::move(kind));
}

absl::StatusOr<const PluginKind*> PluginKinds::Find(absl::string_view name) const {
  const auto kind = kinds_.find(std::string(name));
  if (kind != kinds_.end()) return &kind->second;
  const std::string known =
      absl::StrJoin(kinds_, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return MakeError(v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, "kind",
                   absl::StrCat("There is no kind of plugin \"", name, "\". The kinds are: ", known, "."),
                   {{"kind", std::string(name)}, {"known", known}});
}

absl::StatusOr<PluginSettings> PluginKinds::Complete(const PluginKind& kind, std::map<std::string, std::string> given) {
  const absl::Status fine = CheckGiven(kind, given);
  if (!fine.ok()) return fine;
  for (const PluginSettingFacts& setting : kind.settings) {
    const auto [value, missing] = given.emplace(setting.name, setting.usual);
    if (!setting.required || !(missing || value->second.empty())) continue;
    return PluginSettings::Invalid(setting.name, "",
                                   absl::StrCat("The kind \"", kind.name, "\" needs the setting \"", setting.name,
                                                "\": ", setting.description, "."));
  }
  return PluginSettings(std::move(given));
}

}  // namespace pilothouse::trainer
