// How large a part of all examples is wanted, as people write it:
//
//   0.2    a fraction of them, above 0 and below 1, with a point
//   20%    the same as a percentage
//   100    so many examples
//
// Decimal fractions are taken for what they say, not for the binary number nearest to them: 29% of 100 are 29. Pure and
// thread-safe.
#ifndef PILOTHOUSE_TRAINER_DATA_PART_SIZE_H_
#define PILOTHOUSE_TRAINER_DATA_PART_SIZE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// More digits than any number of examples, or any sensible part of them, needs.
inline constexpr int kMaxPartSizeDigits = 18;

class PartSize {
 public:
  // Blanks around `text` do not matter. `field`, relative to RunSpec, is blamed here and by Of(). Error: SPEC_INVALID
  // for what is neither of the three, negative, zero, or everything; its sentence says what to write instead.
  static absl::StatusOr<PartSize> Parse(absl::string_view text, absl::string_view field);

  // How many of `examples` these are: a fraction of them rounded to the nearest whole number, halves upwards. From 1 to
  // examples − 1. Error: SPEC_INVALID where a fraction is less than one example, or nothing would be left.
  absl::StatusOr<int64_t> Of(int64_t examples) const;

 private:
  PartSize(absl::string_view text, absl::string_view field) : text_(text), field_(field) {}

  absl::Status Refuse(absl::string_view why, std::optional<int64_t> examples = std::nullopt) const;

  std::string text_;
  std::string field_;
  // The number is digits_ / 10^decimals_; a percentage has two decimals more than are written.
  int64_t digits_ = 0;
  int decimals_ = 0;
  bool is_fraction_ = false;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PART_SIZE_H_
