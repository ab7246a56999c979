#include "clients/cpp/pilot/plugin_grammar.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

using Words = std::vector<std::string>;

constexpr absl::string_view kForm =
    " A plugin is written [SCHEDULE] KIND [name=value …], such as: each(100) save-best metric=validation_loss.";

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat(what, kForm)); }

bool IsOperator(char character) { return character == '&' || character == '|'; }

bool IsSetting(const std::string& word) { return absl::StrContains(word, "="); }

bool BeginsSchedule(const Words& words, size_t at) {
  const std::string& word = words[at];
  if (IsSetting(word)) return false;
  if (word.find_first_of("(&|") != std::string::npos || absl::StartsWith(word, "~")) return true;
  if (word == "always" || word == "never") return true;
  const bool is_set = word == "each" || word == "at" || word == "from" || word == "until";
  return is_set && at + 1 < words.size() && absl::StartsWith(words[at + 1], "(");
}

// Takes the words of the schedule that begins at words[at], and moves `at` behind it.
absl::StatusOr<std::string> TakeSchedule(const Words& words, size_t& at) {
  const size_t begin = at;
  int64_t open = 0;
  bool goes_on = true;
  while (at < words.size() && goes_on) {
    const std::string& word = words[at++];
    open += std::count(word.begin(), word.end(), '(') - std::count(word.begin(), word.end(), ')');
    const bool before_operand = !word.empty() && (IsOperator(word.back()) || word.back() == '~');
    const bool before_operator = at < words.size() && !words[at].empty() &&
                                 (IsOperator(words[at].front()) || words[at].front() == '(') && !IsSetting(words[at]);
    goes_on = open > 0 || before_operand || before_operator;
  }
  std::string schedule = absl::StrJoin(words.begin() + static_cast<std::ptrdiff_t>(begin),
                                       words.begin() + static_cast<std::ptrdiff_t>(at), " ");
  if (open > 0) return Wrong(absl::StrCat("the schedule \"", schedule, "\" lacks a \")\"."));
  return schedule;
}

// Words that are neither settings nor the beginning of a schedule.
size_t CountPlainWords(const Words& words) {
  size_t count = 0;
  while (count < words.size() && !IsSetting(words[count]) && !BeginsSchedule(words, count)) ++count;
  return count;
}

// "[BEFORE] [SCHEDULE] KIND …": what stands before, and where the settings begin.
struct Head {
  Words before;
  size_t end = 0;
};

absl::StatusOr<Head> ParseHead(const Words& words, v1::PluginSpec& spec) {
  Head head;
  head.end = CountPlainWords(words);
  const auto behind_plain = words.begin() + static_cast<std::ptrdiff_t>(head.end);
  if (head.end < words.size() && !IsSetting(words[head.end])) {
    head.before = Words(words.begin(), behind_plain);
    absl::StatusOr<std::string> schedule = TakeSchedule(words, head.end);
    if (!schedule.ok()) return schedule.status();
    if (head.end == words.size() || words[head.end].empty() || IsSetting(words[head.end])) {
      return Wrong(absl::StrCat("the kind of plugin is missing behind the schedule \"", *schedule, "\"."));
    }
    spec.set_schedule(*std::move(schedule));
    spec.set_kind(words[head.end++]);
    return head;
  }
  if (head.end == 0 || words[head.end - 1].empty()) return Wrong("the kind of plugin is missing.");
  head.before = Words(words.begin(), behind_plain - 1);
  spec.set_kind(words[head.end - 1]);
  return head;
}

bool IsSettingName(absl::string_view name) {
  return !name.empty() && absl::ascii_isalpha(name.front()) && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

bool IsPluginOption(const std::string& name) {
  static constexpr absl::string_view kOptions[] = {"timeline", "point",     "priority",    "name",
                                                   "required", "allowance", "max_failures"};
  return std::find(std::begin(kOptions), std::end(kOptions), name) != std::end(kOptions);
}

absl::Status AddSetting(const std::string& word, v1::PluginSpec& spec) {
  const std::pair<std::string, std::string> setting = absl::StrSplit(word, absl::MaxSplits('=', 1));
  const auto& [name, value] = setting;
  if (!IsSetting(word) || !IsSettingName(name)) {
    return Wrong(absl::StrCat("\"", word, "\" behind the kind ", spec.kind(), " is not of the form name=value."));
  }
  if (IsPluginOption(name)) return SetPluginOption(name, value, spec);
  if (spec.settings().contains(name)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is given twice; give it once."));
  }
  (*spec.mutable_settings())[name] = value;
  return absl::OkStatus();
}

absl::Status AddSettings(const Words& words, size_t begin, v1::PluginSpec& spec) {
  for (size_t i = begin; i < words.size(); ++i) {
    if (const absl::Status added = AddSetting(words[i], spec); !added.ok()) return added;
  }
  return absl::OkStatus();
}

bool IsSet(const std::string& name, const v1::PluginSpec& spec) {
  if (name == "timeline") return spec.timeline() != v1::TIMELINE_UNSPECIFIED;
  if (name == "point") return spec.point() != v1::PLUGIN_POINT_UNSPECIFIED;
  if (name == "priority") return spec.has_priority();
  if (name == "name") return !spec.name().empty();
  if (name == "required") return spec.has_required();
  if (name == "allowance") return spec.has_allowance();
  return spec.max_failures() != 0;
}

// Gives a value that was read to `use`.
template <typename T, typename Use>
absl::Status Give(const std::string& name, const absl::StatusOr<T>& value, Use use) {
  if (!value.ok()) return absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(value.status().message())));
  use(*value);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitWords(absl::string_view line) {
  Words words;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    char character = line[i];
    if (quote == 0 && absl::ascii_isspace(character)) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    const bool is_quote = character == '\'' || character == '"';
    if (is_quote && (quote == 0 || quote == character)) {
      quote = quote == 0 ? character : 0;
      continue;
    }
    const char next = i + 1 < line.size() ? line[i + 1] : '\0';
    const bool escapes = quote == 0 ? next != '\0' : quote == '"' && (next == '"' || next == '\\');
    if (character == '\\' && escapes) character = line[++i];
    words.back() += character;
  }
  if (quote != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a closing ", std::string(1, quote), " is missing in: ", line));
  }
  return words;
}

absl::Status SetPluginOption(const std::string& name, const std::string& value, v1::PluginSpec& spec) {
  if (!IsPluginOption(name)) return absl::InvalidArgumentError(absl::StrCat("plugins have no option ", name, "."));
  if (IsSet(name, spec)) return absl::InvalidArgumentError(absl::StrCat(name, " is given twice; give it once."));
  if (name == "timeline") return Give(name, ParseTimeline(value), [&](v1::Timeline t) { spec.set_timeline(t); });
  if (name == "point") return Give(name, ParsePoint(value), [&](v1::PluginPoint p) { spec.set_point(p); });
  if (name == "priority") return Give(name, ParsePriority(value), [&](int priority) { spec.set_priority(priority); });
  if (name == "required") return Give(name, ParseYesNo(value), [&](bool yes) { spec.set_required(yes); });
  if (name == "max_failures") return Give(name, ParseFailures(value), [&](int n) { spec.set_max_failures(n); });
  if (name == "allowance") {
    return Give(name, ParseAllowance(value), [&](absl::Duration allowance) {
      *spec.mutable_allowance() =
          google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(allowance));
    });
  }
  if (value.empty()) return absl::InvalidArgumentError("name: expected a name such as best-so-far; got \"\".");
  spec.set_name(value);
  return absl::OkStatus();
}

absl::StatusOr<v1::PluginSpec> ParsePluginSpec(const std::string& text) {
  const absl::StatusOr<Words> words = SplitWords(text);
  if (!words.ok()) return words.status();
  v1::PluginSpec spec;
  const absl::StatusOr<Head> head = ParseHead(*words, spec);
  if (!head.ok()) return head.status();
  if (!head->before.empty()) {
    return Wrong(absl::StrCat("\"", head->before.front(), "\" before the kind ", spec.kind(), " is not a schedule."));
  }
  if (const absl::Status added = AddSettings(*words, head->end, spec); !added.ok()) return added;
  return spec;
}

absl::StatusOr<std::string> ParsePluginWords(const std::vector<std::string>& words, v1::PluginSpec& spec) {
  const absl::StatusOr<Head> head = ParseHead(words, spec);
  if (!head.ok()) return head.status();
  if (head->before.size() > 1) {
    return Wrong(absl::StrCat("\"", head->before[1], "\" between the run ", head->before[0], " and the kind ",
                              spec.kind(), " is not a schedule."));
  }
  if (const absl::Status added = AddSettings(words, head->end, spec); !added.ok()) return added;
  return head->before.empty() ? "" : head->before.front();
}

absl::StatusOr<ScheduleWords> ParseScheduleWords(const std::vector<std::string>& words) {
  const size_t plain = CountPlainWords(words);
  if (plain < 1 || plain > 2 || plain == words.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected [RUN] NAME SCHEDULE, such as: digits validate 'each(50)'; got \"", absl::StrJoin(words, " "), "\"."));
  }
  ScheduleWords parsed;
  if (plain == 2) parsed.run = words[0];
  parsed.name = words[plain - 1];
  // Whatever it is, it is all of it: the service points at what is wrong.
  parsed.schedule = absl::StrJoin(words.begin() + static_cast<std::ptrdiff_t>(plain), words.end(), " ");
  return parsed;
}

}  // namespace pilothouse::client
