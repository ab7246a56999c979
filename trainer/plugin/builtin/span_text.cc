#include "trainer/plugin/builtin/span_text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace pilothouse::trainer {

std::string SpanText(Timeline timeline, Ticks ticks) {
  const int64_t unit = TicksPerUnit(timeline);
  std::string text = absl::StrCat(ticks / unit);
  if (ticks % unit == 0) return text;
  // 1 and the remainder's digits, so that zeros in front of them are kept.
  std::string digits = absl::StrCat(unit + ticks % unit).substr(1);
  digits.erase(digits.find_last_not_of('0') + 1);
  return absl::StrCat(text, ".", digits);
}

}  // namespace pilothouse::trainer
