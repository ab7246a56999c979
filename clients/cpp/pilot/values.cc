#include "clients/cpp/pilot/values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/limits.h"

namespace pilothouse::client {
namespace {

absl::Status Expected(absl::string_view what, absl::string_view text) {
  // A leading minus sign may have been replaced by a real one, so that the number is not taken for an option.
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, "; got \"", absl::StrReplaceAll(text, {{"−", "-"}}), "\"."));
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

std::string PlainName(absl::string_view name) {
  std::string plain = absl::AsciiStrToLower(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  return plain;
}

// One of the named values; '_' or '-' and case do not matter.
template <typename T>
absl::StatusOr<T> ParseName(const std::string& text, std::initializer_list<std::pair<absl::string_view, T>> names) {
  const std::string plain = PlainName(text);
  std::string known;
  for (const auto& [name, value] : names) {
    if (plain == PlainName(name)) return value;
    absl::StrAppend(&known, known.empty() ? "" : ", ", name);
  }
  return Expected(absl::StrCat("one of ", known), text);
}

}  // namespace

absl::StatusOr<double> ParseNumber(const std::string& text) {
  double value = 0;
  const std::string plain = absl::StrReplaceAll(text, {{"−", "-"}});
  if (!absl::SimpleAtod(plain, &value) || !std::isfinite(value)) return Expected("a finite number", text);
  return value;
}

absl::StatusOr<double> ParseEta(const std::string& text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value) || value <= 0) {
    return Expected("a finite number above 0", text);
  }
  return value;
}

absl::StatusOr<v1::KnobChange> ParseEtaChange(const std::string& text) {
  v1::KnobChange change;
  change.set_name("eta");
  change.set_follow_schedule(text == "schedule");
  if (change.follow_schedule()) return change;
  const absl::StatusOr<double> eta = ParseEta(text);
  if (!eta.ok()) return Expected("a finite number above 0, or schedule", text);
  change.set_value(*eta);
  return change;
}

absl::StatusOr<int64_t> ParseBatch(const std::string& text) {
  int64_t value = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &value) || value > kMaxTarget) {
    return Expected("a whole number from 0 to 2^53", text);
  }
  return value;
}

absl::StatusOr<std::optional<int64_t>> ParseBatchOrBest(const std::string& text) {
  if (text == "best") return std::optional<int64_t>();
  const absl::StatusOr<int64_t> batch = ParseBatch(text);
  if (!batch.ok()) return Expected("a whole number from 0 to 2^53, or best", text);
  return std::optional<int64_t>(*batch);
}

absl::StatusOr<int64_t> ParseCount(const std::string& text) {
  int64_t value = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &value) || value < 1)
    return Expected("a whole number from 1 on", text);
  return value;
}

absl::StatusOr<v1::TargetChange> ParseTarget(const std::string& text) {
  absl::string_view digits = text;
  const bool more = absl::ConsumePrefix(&digits, "+");
  int64_t value = 0;
  const bool whole = IsDigits(digits) && absl::SimpleAtoi(digits, &value) && value <= kMaxTarget;
  if (!whole || (more && value == 0)) {
    return Expected("a whole number of batches from 0 to 2^53, or +N for N batches more", text);
  }
  v1::TargetChange change;
  if (more) {
    change.set_more(value);
  } else {
    change.set_batch(value);
  }
  return change;
}

absl::StatusOr<absl::Duration> ParseDuration(const std::string& text) {
  absl::Duration duration;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return Expected("a time such as 50ms, 2s or 1m30s", text);
  }
  // A year: longer is a mistake, and would overflow on the wire.
  constexpr absl::Duration kLongest = absl::Hours(365 * 24);
  if (std::isnan(seconds) || duration < absl::ZeroDuration() || duration > kLongest) {
    return Expected("a time from 0 to a year", text);
  }
  return duration;
}

absl::StatusOr<std::vector<double>> ParseNumbers(const std::string& text) {
  std::vector<double> values;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::StatusOr<double> value = ParseNumber(std::string(absl::StripAsciiWhitespace(part)));
    if (!value.ok()) return Expected("finite numbers separated by commas", text);
    values.push_back(*value);
  }
  return values;
}

absl::StatusOr<v1::LossFunction> ParseLoss(const std::string& text) {
  return ParseName<v1::LossFunction>(text, {{"cross-entropy", v1::LOSS_FUNCTION_CROSS_ENTROPY},
                                            {"binary-cross-entropy", v1::LOSS_FUNCTION_BINARY_CROSS_ENTROPY},
                                            {"mse", v1::LOSS_FUNCTION_MSE},
                                            {"half-mse", v1::LOSS_FUNCTION_HALF_MSE},
                                            {"huber", v1::LOSS_FUNCTION_HUBER}});
}

absl::StatusOr<v1::OptimizerKind> ParseOptimizerKind(const std::string& text) {
  return ParseName<v1::OptimizerKind>(text, {{"gradient-descent", v1::OPTIMIZER_KIND_GRADIENT_DESCENT},
                                             {"momentum", v1::OPTIMIZER_KIND_MOMENTUM},
                                             {"nesterov", v1::OPTIMIZER_KIND_NESTEROV},
                                             {"adam", v1::OPTIMIZER_KIND_ADAM},
                                             {"adamw", v1::OPTIMIZER_KIND_ADAMW},
                                             {"rmsprop", v1::OPTIMIZER_KIND_RMSPROP},
                                             {"adagrad", v1::OPTIMIZER_KIND_ADAGRAD}});
}

absl::StatusOr<v1::OptimizerSpec> ParseOptimizer(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipWhitespace());
  const absl::StatusOr<v1::OptimizerKind> kind = ParseOptimizerKind(words.empty() ? "" : words[0]);
  if (!kind.ok()) return kind.status();
  v1::OptimizerSpec spec;
  spec.set_kind(*kind);
  for (size_t i = 1; i < words.size(); ++i) {
    const absl::StatusOr<v1::KnobChange> setting = ParseKnobChange(words[i]);
    if (!setting.ok()) return setting.status();
    const auto [place, added] = spec.mutable_settings()->insert({setting->name(), setting->value()});
    if (!added) return absl::InvalidArgumentError(absl::StrCat(setting->name(), " is given twice; give it once."));
    if (setting->name() == "eta") return absl::InvalidArgumentError("eta has an option of its own: --eta NUMBER.");
  }
  return spec;
}

absl::StatusOr<v1::Precision> ParsePrecision(const std::string& text) {
  return ParseName<v1::Precision>(text, {{"float32", v1::PRECISION_FLOAT32}, {"float64", v1::PRECISION_FLOAT64}});
}

absl::StatusOr<v1::Initializer> ParseInitializer(const std::string& text) {
  return ParseName<v1::Initializer>(text, {{"scaled", v1::INITIALIZER_SCALED},
                                           {"normal", v1::INITIALIZER_NORMAL},
                                           {"glorot", v1::INITIALIZER_GLOROT},
                                           {"he", v1::INITIALIZER_HE},
                                           {"zeros", v1::INITIALIZER_ZEROS}});
}

absl::StatusOr<std::string> ParsePartSize(const std::string& text) {
  constexpr size_t kMaxDigits = 18;
  std::string size(absl::StripAsciiWhitespace(text));
  absl::string_view number = size;
  const bool percentage = absl::ConsumeSuffix(&number, "%");
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(number, absl::MaxSplits('.', 1));
  const auto& [whole, decimals] = parts;
  const bool has_point = whole.size() < number.size();
  const std::string digits = absl::StrCat(whole, decimals);
  const bool is_number = IsDigits(digits) && digits.size() <= kMaxDigits && has_point == !decimals.empty();
  const bool is_nothing = digits.find_first_not_of('0') == std::string::npos;
  // Compared by its digits: no double is as exact.
  const size_t whole_digits = whole.size() - std::min(whole.find_first_not_of('0'), whole.size());
  const bool is_all = (percentage && whole_digits > 2) || (!percentage && has_point && whole_digits > 0);
  if (is_number && !is_nothing && !is_all) return size;
  return Expected(
      "a part of the examples, such as 20% or 0.2, above none and below all, or a whole number of them from 1 on",
      text);
}

absl::StatusOr<v1::SplitMethod> ParseSplit(const std::string& text) {
  return ParseName<v1::SplitMethod>(text, {{"random", v1::SPLIT_METHOD_RANDOM},
                                           {"tail", v1::SPLIT_METHOD_TAIL},
                                           {"stratified", v1::SPLIT_METHOD_STRATIFIED}});
}

absl::StatusOr<int32_t> ParseThreads(const std::string& text) {
  constexpr int32_t kMaxThreads = 64;
  int32_t threads = 0;
  if (IsDigits(text) && absl::SimpleAtoi(text, &threads) && threads >= 1 && threads <= kMaxThreads) return threads;
  return Expected("a whole number from 1 to 64", text);
}

absl::StatusOr<v1::ModelChoice> ParseModel(const std::string& text) {
  v1::ModelChoice choice;
  // Answers name a saved file with its folder.
  const absl::string_view file = absl::StripPrefix(text, "saved/");
  if (absl::EndsWith(file, ".safetensors")) {
    choice.set_saved_file(std::string(file));
    return choice;
  }
  const absl::StatusOr<v1::Model> model =
      ParseName<v1::Model>(text, {{"last", v1::MODEL_LAST}, {"best", v1::MODEL_BEST}});
  if (!model.ok()) return Expected("last, best, or the name of a saved file, such as best.safetensors", text);
  choice.set_model(*model);
  return choice;
}

absl::StatusOr<v1::DataPart> ParsePart(const std::string& text) {
  return ParseName<v1::DataPart>(text, {{"test", v1::DATA_PART_TEST}, {"validation", v1::DATA_PART_VALIDATION}});
}

absl::StatusOr<v1::Timeline> ParseTimeline(const std::string& text) {
  return ParseName<v1::Timeline>(text, {{"batches", v1::TIMELINE_BATCHES},
                                        {"examples", v1::TIMELINE_EXAMPLES},
                                        {"epochs", v1::TIMELINE_EPOCHS},
                                        {"wall_time", v1::TIMELINE_WALL_TIME},
                                        {"training_time", v1::TIMELINE_TRAINING_TIME}});
}

absl::StatusOr<v1::PluginPoint> ParsePoint(const std::string& text) {
  return ParseName<v1::PluginPoint>(text, {{"start", v1::PLUGIN_POINT_START},
                                           {"before_batch", v1::PLUGIN_POINT_BEFORE_BATCH},
                                           {"after_batch", v1::PLUGIN_POINT_AFTER_BATCH},
                                           {"after_validation", v1::PLUGIN_POINT_AFTER_VALIDATION},
                                           {"before_stop", v1::PLUGIN_POINT_BEFORE_STOP},
                                           {"end", v1::PLUGIN_POINT_END}});
}

absl::StatusOr<int> ParsePriority(const std::string& text) {
  constexpr int kMaxPriority = 1000;
  int priority = 0;
  if (absl::SimpleAtoi(text, &priority) && std::abs(int64_t{priority}) <= kMaxPriority) return priority;
  return Expected("a whole number from -1000 to 1000", text);
}

absl::StatusOr<bool> ParseYesNo(const std::string& text) {
  return ParseName<bool>(text, {{"yes", true}, {"no", false}, {"true", true}, {"false", false}});
}

absl::StatusOr<absl::Duration> ParseAllowance(const std::string& text) {
  const absl::StatusOr<absl::Duration> allowance = ParseDuration(text);
  if (!allowance.ok() || *allowance <= absl::ZeroDuration() || *allowance > absl::Hours(1)) {
    return Expected("a time such as 500ms or 10s, above 0 and at most 1h", text);
  }
  return allowance;
}

absl::StatusOr<int> ParseFailures(const std::string& text) {
  constexpr int kMaxFailures = 1000;
  int failures = 0;
  if (absl::SimpleAtoi(text, &failures) && failures >= 1 && failures <= kMaxFailures) return failures;
  return Expected("a whole number from 1 to 1000", text);
}

absl::StatusOr<uint64_t> ParseSeed(const std::string& text) {
  uint64_t seed = 0;
  if (absl::SimpleAtoi(text, &seed)) return seed;
  return Expected("a whole number from 0 to 2^64 - 1", text);
}

absl::StatusOr<v1::KnobChange> ParseKnobChange(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.size() != 2 || parts[0].empty()) return Expected("a name and its value, such as momentum=0.9", text);
  const absl::StatusOr<double> value = ParseNumber(parts[1]);
  if (!value.ok()) return value.status();
  v1::KnobChange change;
  change.set_name(parts[0]);
  change.set_value(*value);
  return change;
}

absl::StatusOr<int32_t> ParsePoints(const std::string& text) {
  constexpr int32_t kMaxPoints = 100000;
  int32_t points = 0;
  if (IsDigits(text) && absl::SimpleAtoi(text, &points) && points >= 2 && points <= kMaxPoints) return points;
  return Expected("a whole number from 2 to 100,000", text);
}

absl::StatusOr<ExportFormat> ParseExportFormat(const std::string& text) {
  return ParseName<ExportFormat>(text, {{"csv", ExportFormat::kCsv},
                                        {"jsonl", ExportFormat::kJsonLines},
                                        {"jsons", ExportFormat::kJsons},
                                        {"tensorboard", ExportFormat::kTensorBoard}});
}

ExportFormat FormatOfFile(const std::string& file) {
  const size_t point = file.rfind('.');
  if (point == std::string::npos) return ExportFormat::kUnspecified;
  const absl::StatusOr<ExportFormat> format = ParseExportFormat(file.substr(point + 1));
  // Event files of TensorBoard lie in a folder, whose name says nothing.
  return format.ok() && *format != ExportFormat::kTensorBoard ? *format : ExportFormat::kUnspecified;
}

absl::StatusOr<std::vector<v1::EventKind>> ParseKinds(const std::string& text) {
  std::vector<v1::EventKind> kinds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::StatusOr<v1::EventKind> kind = ParseName<v1::EventKind>(std::string(absl::StripAsciiWhitespace(part)),
                                                                        {{"loss", v1::EVENT_KIND_LOSS},
                                                                         {"status", v1::EVENT_KIND_STATUS},
                                                                         {"control", v1::EVENT_KIND_CONTROL},
                                                                         {"state", v1::EVENT_KIND_STATE},
                                                                         {"plugin", v1::EVENT_KIND_PLUGIN},
                                                                         {"checkpoint", v1::EVENT_KIND_CHECKPOINT}});
    if (!kind.ok()) return kind.status();
    kinds.push_back(*kind);
  }
  return kinds;
}

std::string KindWord(v1::EventKind kind) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::EventKind_Name(kind), "EVENT_KIND_"));
}

}  // namespace pilothouse::client
