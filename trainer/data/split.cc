#include "trainer/data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
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

enum class Part : uint8_t { kTraining, kValidation, kTest };

// What tells the streams of the parts apart. Part of what a seed means: never change one.
constexpr uint64_t kValidationStream = 0;
constexpr uint64_t kTestStream = 1;

// Puts `rows` into a random order and calls take(row) for them in turn, until it has returned true `count` times.
template <typename Take>
void Draw(std::vector<int64_t> rows, int64_t count, const RandomStream& random, Take take) {
  // A Fisher-Yates shuffle from the end; what is not drawn need not be shuffled.
  for (size_t left = rows.size(); left > 0 && count > 0; --left) {
    std::swap(rows[left - 1], rows[random.Below(left, left - 1)]);
    if (take(rows[left - 1])) --count;
  }
}

// How many of each class a part of `count` of these rows gets.
std::vector<int64_t> LargestRemainders(absl::Span<const int64_t> rows, int64_t count,
                                       absl::Span<const int32_t> classes) {
  std::vector<int64_t> sizes(static_cast<size_t>(*std::max_element(classes.begin(), classes.end())) + 1);
  for (const int64_t row : rows) ++sizes[static_cast<size_t>(classes[static_cast<size_t>(row)])];
  const auto of_all = static_cast<absl::uint128>(rows.size());
  std::vector<int64_t> wanted;
  std::vector<absl::uint128> remainders;
  for (const int64_t size : sizes) {
    const absl::uint128 product = static_cast<absl::uint128>(size) * static_cast<absl::uint128>(count);
    wanted.push_back(static_cast<int64_t>(product / of_all));
    remainders.push_back(product % of_all);
  }
  std::vector<size_t> by_remainder(sizes.size());
  std::iota(by_remainder.begin(), by_remainder.end(), 0);
  std::stable_sort(by_remainder.begin(), by_remainder.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  // Less than there are classes with a remainder, none of which is used up by being rounded down.
  const int64_t missing = count - std::accumulate(wanted.begin(), wanted.end(), int64_t{0});
  for (size_t i = 0; i < static_cast<size_t>(missing); ++i) ++wanted[by_remainder[i]];
  return wanted;
}

std::vector<int64_t> RowsOf(absl::Span<const Part> parts, Part part) {
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(std::count(parts.begin(), parts.end(), part)));
  for (size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == part) rows.push_back(static_cast<int64_t>(row));
  }
  return rows;
}

// Moves `count` rows of the training part to `part`; of given classes, each as many as it should have.
void DrawPart(Part part, int64_t count, const RandomStream& random, absl::Span<const int32_t> classes,
              std::vector<Part>& parts) {
  if (count == 0) return;
  std::vector<int64_t> rows = RowsOf(parts, Part::kTraining);
  std::vector<int64_t> wanted;
  if (!classes.empty()) wanted = LargestRemainders(rows, count, classes);
  Draw(std::move(rows), count, random, [&](int64_t row) {
    if (!wanted.empty() && wanted[static_cast<size_t>(classes[static_cast<size_t>(row)])]-- <= 0) return false;
    parts[static_cast<size_t>(row)] = part;
    return true;
  });
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

Split SplitRows(int64_t rows, PartCounts counts, SplitMethod method, uint64_t seed, absl::Span<const int32_t> classes) {
  std::vector<Part> parts(static_cast<size_t>(rows), Part::kTraining);
  if (method == SplitMethod::kTail) {
    std::fill(parts.end() - counts.test - counts.validation, parts.end(), Part::kValidation);
    std::fill(parts.end() - counts.test, parts.end(), Part::kTest);
  } else {
    if (method == SplitMethod::kRandom) classes = {};
    DrawPart(Part::kTest, counts.test, RandomStream(seed, RandomPurpose::kHoldOut, kTestStream), classes, parts);
    DrawPart(Part::kValidation, counts.validation, RandomStream(seed, RandomPurpose::kHoldOut, kValidationStream),
             classes, parts);
  }
  return {RowsOf(parts, Part::kTraining), RowsOf(parts, Part::kValidation), RowsOf(parts, Part::kTest)};
}

}  // namespace pilothouse::trainer
