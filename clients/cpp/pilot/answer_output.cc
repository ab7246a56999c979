#include "clients/cpp/pilot/answer_output.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

constexpr int kScoreDigits = 5;
// Trainers count up to 30. A count of a higher class is a value like any other, so that no answer makes a table without
// bounds.
constexpr size_t kMaxClasses = 100;

// The class and what it was taken for. Nothing: it is no such count.
std::optional<std::pair<size_t, size_t>> ClassesOf(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "confusion.")) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  size_t of = 0;
  size_t taken_for = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &of) || !absl::SimpleAtoi(parts[1], &taken_for) ||
      std::max(of, taken_for) >= kMaxClasses) {
    return std::nullopt;
  }
  return std::pair{of, taken_for};
}

std::string ConfusionText(const std::vector<std::vector<double>>& confusion) {
  std::vector<std::vector<std::string>> rows = {{"class"}};
  for (size_t j = 0; j < confusion.size(); ++j) rows[0].push_back(absl::StrCat("as ", j));
  for (size_t i = 0; i < confusion.size(); ++i) {
    std::vector<std::string> row = {absl::StrCat(i)};
    for (const double count : confusion[i]) row.push_back(FormatNumber(count));
    rows.push_back(std::move(row));
  }
  return absl::StrCat("\nwhat was taken for what:\n",
                      FormatTable(rows, std::vector<bool>(confusion.size() + 1, true), "  "));
}

}  // namespace

std::string ModelWord(v1::Model model) {
  if (model == v1::MODEL_UNSPECIFIED) return "";
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Model_Name(model), "MODEL_"));
}

std::string ModelText(const v1::ModelUsed& model) {
  const std::string word = ModelWord(model.model());
  return absl::StrCat(word, word.empty() || model.file().empty() ? "" : ": ", Printable(model.file()), ", batch ",
                      model.batch());
}

std::string PartWord(v1::DataPart part) { return part == v1::DATA_PART_VALIDATION ? "validation" : "test"; }

Scores ToScores(const v1::EvaluateResponse& response) {
  Scores scores;
  size_t classes = 0;
  for (const v1::NamedValue& value : response.values()) {
    if (const auto pair = ClassesOf(value.name())) classes = std::max({classes, pair->first + 1, pair->second + 1});
  }
  scores.confusion.assign(classes, std::vector<double>(classes, 0));
  for (const v1::NamedValue& value : response.values()) {
    if (const auto pair = ClassesOf(value.name())) {
      scores.confusion[pair->first][pair->second] = value.value();
    } else {
      scores.values.push_back(value);
    }
  }
  return scores;
}

std::string EvaluationText(const std::string& run_id, const v1::EvaluateResponse& response) {
  const Scores scores = ToScores(response);
  std::string text = absl::StrCat(Printable(run_id), ", ", FormatCount(response.examples()), " examples of the ",
                                  PartWord(response.part()), " part, model ", ModelText(response.model()), "\n");
  std::vector<std::vector<std::string>> rows;
  for (const v1::NamedValue& value : scores.values) {
    rows.push_back({Printable(value.name()), FormatNumber(value.value(), kScoreDigits)});
  }
  absl::StrAppend(&text, FormatTable(rows, {false, false}, "  "));
  if (!scores.confusion.empty()) absl::StrAppend(&text, ConfusionText(scores.confusion));
  return text;
}

}  // namespace pilothouse::client
