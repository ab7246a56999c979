#include "trainer/data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/support/error.h"
#include "trainer/net/random.h"

namespace pilothouse::trainer {
namespace {

constexpr char kFraction[] = "data.validation_fraction";
constexpr char kCount[] = "data.validation_examples";

absl::Status RefuseCount(absl::string_view field, const std::string& given, int64_t held_out, int64_t examples) {
  const std::string sentence = examples < 2 ? "One example is too few to hold any out; leave validation away."
                                            : absl::StrCat("Of ", examples, " examples, from 1 to ", examples - 1,
                                                           " can be held out; ", given, " would be ", held_out, ".");
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field, sentence,
                   {{"value", given}, {"examples", absl::StrCat(examples)}});
}

// Whether row i is held out.
std::vector<bool> Choose(int64_t rows, int64_t count, ExampleOrder order) {
  std::vector<bool> held_out(static_cast<size_t>(rows), false);
  if (order == ExampleOrder::kKept) {
    std::fill(held_out.end() - count, held_out.end(), true);
    return held_out;
  }
  const RandomStream random(/*seed=*/0, RandomPurpose::kHoldOut, 0);
  std::vector<size_t> deck(held_out.size());
  std::iota(deck.begin(), deck.end(), 0);
  // The last `count` places of a Fisher-Yates shuffle; the others need not be shuffled.
  for (size_t i = deck.size() - 1; i >= deck.size() - static_cast<size_t>(count); --i) {
    std::swap(deck[i], deck[random.Below(i + 1, i)]);
    held_out[deck[i]] = true;
  }
  return held_out;
}

void AppendRow(const NumberTable& from, int64_t row, NumberTable& to) {
  const double* begin = from.values.data() + row * from.columns;
  to.values.insert(to.values.end(), begin, begin + from.columns);
  ++to.rows;
}

void Append(const Dataset& from, int64_t row, Dataset& to) {
  AppendRow(from.inputs, row, to.inputs);
  AppendRow(from.targets, row, to.targets);
  to.row_numbers.push_back(RowNumber(from, row));
}

Dataset Empty(const Dataset& like, int64_t rows) {
  Dataset part;
  part.inputs.columns = like.inputs.columns;
  part.targets.columns = like.targets.columns;
  part.inputs.values.reserve(static_cast<size_t>(rows * like.inputs.columns));
  part.targets.values.reserve(static_cast<size_t>(rows * like.targets.columns));
  part.row_numbers.reserve(static_cast<size_t>(rows));
  return part;
}

}  // namespace

absl::StatusOr<int64_t> CountHeldOut(std::optional<double> fraction, std::optional<int64_t> count, int64_t examples) {
  if (!fraction.has_value() && !count.has_value()) return 0;
  if (fraction.has_value() && count.has_value()) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, kFraction,
                     "Give either validation_fraction or validation_examples, not both.");
  }
  if (fraction.has_value() && !(*fraction > 0 && *fraction < 1)) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, kFraction,
                     absl::StrCat("validation_fraction lies above 0 and below 1; got ", *fraction,
                                  ". A number of examples is given", " as validation_examples."),
                     {{"value", absl::StrCat(*fraction)}});
  }
  // To the nearest, since 0.29 · 100 is a little less than 29.
  const int64_t held_out = fraction.has_value() ? std::llround(*fraction * static_cast<double>(examples)) : *count;
  if (held_out >= 1 && held_out < examples) return held_out;
  return fraction.has_value() ? RefuseCount(kFraction, absl::StrCat(*fraction), held_out, examples)
                              : RefuseCount(kCount, absl::StrCat(*count), held_out, examples);
}

Split HoldOut(const Dataset& data, int64_t count, ExampleOrder order) {
  const int64_t rows = data.inputs.rows;
  const std::vector<bool> held_out = Choose(rows, count, order);
  Split split{Empty(data, rows - count), Empty(data, count)};
  for (int64_t row = 0; row < rows; ++row) {
    Append(data, row, held_out[static_cast<size_t>(row)] ? split.validation : split.training);
  }
  return split;
}

}  // namespace pilothouse::trainer
