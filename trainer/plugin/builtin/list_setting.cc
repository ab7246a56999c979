#include "trainer/plugin/builtin/list_setting.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pilothouse::trainer {

absl::StatusOr<std::vector<std::string>> ListSetting(const PluginSettings& settings, absl::string_view name) {
  const std::string& text = settings.Text(name);
  std::vector<std::string> words;
  for (const absl::string_view piece : absl::StrSplit(text, ',')) {
    const std::string word(absl::StripAsciiWhitespace(piece));
    if (word.empty()) {
      return PluginSettings::Invalid(
          name, text, absl::StrCat("The setting \"", name, "\" is a list of words with commas between them."));
    }
    if (std::find(words.begin(), words.end(), word) != words.end()) {
      return PluginSettings::Invalid(name, text,
                                     absl::StrCat("The setting \"", name, "\" holds \"", word, "\" twice."));
    }
    words.push_back(word);
  }
  return words;
}

}  // namespace pilothouse::trainer
