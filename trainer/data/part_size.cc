#include "trainer/data/part_size.h"

#include "absl/numeric/int128.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

constexpr char kHowToWrite[] =
    "Write a fraction such as 0.2, a percentage such as 20%, or a number of examples such as 100.";

absl::uint128 PowerOfTen(int exponent) {
  absl::uint128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// An unsigned decimal number without an exponent.
struct Decimal {
  int64_t digits = 0;
  int decimals = 0;
  bool has_point = false;
};

// False unless all of `text` is one, with a digit behind its point.
bool ReadDecimal(absl::string_view text, Decimal& number) {
  int count = 0;
  for (const char c : text) {
    if (c == '.' && !number.has_point) {
      number.has_point = true;
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(c)) && count < kMaxPartSizeDigits) {
      number.digits = number.digits * 10 + (c - '0');
      number.decimals += number.has_point ? 1 : 0;
      ++count;
    } else {
      return false;
    }
  }
  return count > 0 && number.has_point == (number.decimals > 0);
}

}  // namespace

absl::StatusOr<PartSize> PartSize::Parse(absl::string_view text, absl::string_view field) {
  PartSize size(absl::StripAsciiWhitespace(text), field);
  absl::string_view rest = size.text_;
  if (rest.empty()) return size.Refuse("The size of a part of the examples is empty.");
  const bool is_negative = absl::ConsumePrefix(&rest, "-");
  const bool is_percentage = absl::ConsumeSuffix(&rest, "%");
  Decimal number;
  if (!ReadDecimal(rest, number)) {
    return size.Refuse(absl::StrCat("\"", Printable(size.text_), "\" is no size of a part of the examples."));
  }
  if (number.digits == 0) return size.Refuse(absl::StrCat(size.text_, " is zero: that part would hold nothing."));
  if (is_negative) return size.Refuse(absl::StrCat(size.text_, " is negative: no part is smaller than nothing."));
  size.digits_ = number.digits;
  size.decimals_ = number.decimals + (is_percentage ? 2 : 0);
  size.is_fraction_ = is_percentage || number.has_point;
  if (!size.is_fraction_ || static_cast<absl::uint128>(size.digits_) < PowerOfTen(size.decimals_)) return size;
  return size.Refuse(is_percentage
                         ? absl::StrCat(size.text_, " is not below 100%: nothing would be left to learn from.")
                         : absl::StrCat(size.text_, " is neither a fraction below 1 nor a whole number of examples."));
}

absl::StatusOr<int64_t> PartSize::Of(int64_t examples) const {
  if (examples < 2) {
    return Refuse("One example is too few to hold any out: leave the part away, or give more data.", examples);
  }
  const std::string of = absl::StrCat(text_, " of ", examples, " examples ");
  // At most 18 digits times 63 bits: less than 2^124.
  const absl::uint128 whole = PowerOfTen(decimals_);
  const absl::uint128 product =
      static_cast<absl::uint128>(digits_) * static_cast<absl::uint128>(is_fraction_ ? examples : 1);
  if (product < whole) return Refuse(absl::StrCat(of, "is less than one: that part would hold nothing."), examples);
  const absl::uint128 count = (2 * product + whole) / (2 * whole);
  if (count < static_cast<absl::uint128>(examples)) return static_cast<int64_t>(count);
  return Refuse(absl::StrCat(of, is_fraction_ ? "rounds to all of them" : "is all of them, or more",
                             ": nothing would be left to learn from. From 1 to ", examples - 1, " are possible."),
                examples);
}

absl::Status PartSize::Refuse(absl::string_view why, std::optional<int64_t> examples) const {
  ErrorMetadata values = {{"value", Printable(text_)}};
  if (examples.has_value()) values.emplace_back("examples", absl::StrCat(*examples));
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field_, absl::StrCat(why, " ", kHowToWrite), values);
}

}  // namespace pilothouse::trainer
