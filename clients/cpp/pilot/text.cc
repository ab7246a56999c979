#include "clients/cpp/pilot/text.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace pilothouse::client {
namespace {

constexpr size_t kShownNames = 16;

constexpr absl::string_view kEllipsis = "…";
constexpr char32_t kBroken = 0xFFFFFFFF;

// Takes one character off the front; kBroken (and one byte taken) where the UTF-8 is not valid.
char32_t TakeCharacter(absl::string_view& text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >> 5 == 0x6 ? 2 : lead >> 4 == 0xE ? 3 : lead >> 3 == 0x1E ? 4 : 0;
  char32_t character = length == 1 ? lead : lead & (0x7F >> length);
  bool valid = length != 0 && length <= text.size();
  for (size_t i = 1; valid && i < length; ++i) {
    valid = byte(i) >> 6 == 0x2;
    character = character << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  valid =
      valid && character >= kSmallest[length] && character <= 0x10FFFF && (character < 0xD800 || character > 0xDFFF);
  text.remove_prefix(valid ? length : 1);
  return valid ? character : kBroken;
}

bool IsControl(char32_t character) {
  // C0, DEL and C1, and the marks that turn the direction of text around.
  return character < 0x20 || (character >= 0x7F && character < 0xA0) || (character >= 0x202A && character <= 0x202E) ||
         (character >= 0x2066 && character <= 0x2069) || character == kBroken;
}

int ColumnsOf(char32_t character) {
  // Combining marks and joiners take none; East Asian characters and pictographs take two.
  if ((character >= 0x300 && character <= 0x36F) || (character >= 0x200B && character <= 0x200F) ||
      (character >= 0xFE00 && character <= 0xFE0F)) {
    return 0;
  }
  const bool wide = (character >= 0x1100 && character <= 0x115F) || (character >= 0x2E80 && character <= 0xA4CF) ||
                    (character >= 0xAC00 && character <= 0xD7A3) || (character >= 0xF900 && character <= 0xFAFF) ||
                    (character >= 0xFE30 && character <= 0xFE6F) || (character >= 0xFF00 && character <= 0xFF60) ||
                    (character >= 0x1F300 && character <= 0x1FAFF) || (character >= 0x20000 && character <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string FormatNumber(double value, int digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return absl::StrFormat("%.*g", digits, value);
}

std::string FormatLoss(double loss) {
  constexpr int kLossDigits = 5;
  return loss == -1 ? "none yet" : FormatNumber(loss, kLossDigits);
}

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const size_t begin = count < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > begin + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* const larger : {"kB", "MB", "GB", "TB"}) {
    // What would be rounded to 1000 belongs to the next unit.
    if (value < 999.95) break;
    value /= 1000;
    unit = larger;
  }
  return absl::StrFormat("%.1f %s", value, unit);
}

std::string FormatSpan(absl::Duration span) {
  span = std::max(span, absl::ZeroDuration());
  if (span == absl::InfiniteDuration()) return "for ever";
  if (span < absl::Seconds(10)) return absl::StrFormat("%.1f s", absl::ToDoubleSeconds(span));
  const int64_t seconds = absl::ToInt64Seconds(span);
  if (seconds < 60) return absl::StrFormat("%d s", seconds);
  if (seconds < 3600) return absl::StrFormat("%d min %d s", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%d h %d min", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%d d %d h", seconds / 86400, seconds / 3600 % 24);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string FormatClock(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%H:%M:%S", ToTime(time), absl::LocalTimeZone());
}

std::string FormatDateTime(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M", ToTime(time), absl::LocalTimeZone());
}

std::string Printable(absl::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const absl::string_view before = text;
    if (IsControl(TakeCharacter(text))) {
      safe += '?';
    } else {
      absl::StrAppend(&safe, before.substr(0, before.size() - text.size()));
    }
  }
  return safe;
}

std::string NameList(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i < kShownNames || i + 1 == names.size()) shown.push_back(Printable(names[i]));
    if (i == kShownNames && i + 1 < names.size()) shown.emplace_back("…");
  }
  return absl::StrJoin(shown, ", ");
}

std::string PrintableLines(absl::string_view text, absl::string_view separator) {
  std::string lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    absl::StrAppend(&lines, lines.empty() ? "" : separator, Printable(line));
  }
  return lines;
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) width += ColumnsOf(TakeCharacter(text));
  return width;
}

std::string Truncate(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width <= 0) return "";
  int used = 0;
  absl::string_view rest = text;
  while (true) {
    absl::string_view next = rest;
    used += ColumnsOf(TakeCharacter(next));
    if (used > width - 1) break;
    rest = next;
  }
  return absl::StrCat(text.substr(0, text.size() - rest.size()), kEllipsis);
}

std::string WrapText(absl::string_view begin, absl::string_view text, int indent, int width) {
  std::string lines;
  std::string line(begin);
  bool at_begin = true;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!at_begin && DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
      absl::StrAppend(&lines, line, "\n");
      line = std::string(indent, ' ');
      at_begin = true;
    }
    absl::StrAppend(&line, at_begin ? "" : " ", word);
    at_begin = false;
  }
  return absl::StrCat(lines, absl::StripTrailingAsciiWhitespace(line), "\n");
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right_aligned,
                        absl::string_view indent) {
  std::vector<int> widths(right_aligned.size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string table;
  for (const auto& row : rows) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - DisplayWidth(row[i]), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", right_aligned[i] ? space : "", row[i], right_aligned[i] ? "" : space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&table, line, "\n");
  }
  return table;
}

}  // namespace pilothouse::client
