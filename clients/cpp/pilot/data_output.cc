#include "clients/cpp/pilot/data_output.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// As many as any decimal number keeps in a double.
constexpr int kExactDigits = 15;

}  // namespace

std::string ExamplesText(const v1::RunFacts& facts) {
  std::string text = absl::StrCat(FormatCount(facts.examples()), " examples");
  const bool held_out = facts.validation_examples() > 0;
  const bool kept = facts.test_examples() > 0;
  if (held_out) absl::StrAppend(&text, kept ? ", " : " and ", FormatCount(facts.validation_examples()), " held out");
  if (kept) absl::StrAppend(&text, " and ", FormatCount(facts.test_examples()), " kept for the end");
  return text;
}

std::string SplitWord(const v1::RunSpec& spec) {
  v1::SplitMethod method = spec.data().split();
  if (method == v1::SPLIT_METHOD_UNSPECIFIED) {
    method = spec.keep_order() ? v1::SPLIT_METHOD_TAIL : v1::SPLIT_METHOD_RANDOM;
  }
  return absl::AsciiStrToLower(absl::StripPrefix(v1::SplitMethod_Name(method), "SPLIT_METHOD_"));
}

std::string ValidationText(const v1::DataSpec& data) {
  if (data.has_validation_fraction()) return FormatNumber(data.validation_fraction(), kExactDigits);
  if (data.has_validation_examples()) return absl::StrCat(data.validation_examples());
  return Printable(data.validation_size());
}

std::vector<std::vector<std::string>> UnusualRows(const v1::Run& run) {
  std::vector<std::vector<std::string>> rows;
  const v1::RunSpec& spec = run.spec();
  const v1::DataSpec& data = spec.data();
  if (!run.facts().input_names().empty()) {
    rows.push_back({"inputs", NameList({run.facts().input_names().begin(), run.facts().input_names().end()})});
  }
  if (data.split() != v1::SPLIT_METHOD_UNSPECIFIED || data.split_seed() != 0) {
    const std::string seed = data.split_seed() != 0 ? absl::StrCat(", seed ", data.split_seed()) : "";
    rows.push_back({"split", SplitWord(spec) + seed});
  }
  if (!data.weight_column().empty())
    rows.push_back({"weights", absl::StrCat("column ", Printable(data.weight_column()))});
  if (!data.ignored_columns().empty()) {
    rows.push_back({"ignored", absl::StrCat(data.ignored_columns_size() == 1 ? "column " : "columns ",
                                            NameList({data.ignored_columns().begin(), data.ignored_columns().end()}))});
  }
  if (spec.threads() > 1) rows.push_back({"threads", absl::StrCat(spec.threads())});
  return rows;
}

}  // namespace pilothouse::client
