#include "trainer/data/csv_record.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "trainer/data/plain_row.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kReadBytes = 1 << 20;
constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

}  // namespace

absl::Status RefuseAt(int64_t line, int64_t column, absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat("Line ", line, ", column ", column, ": ", why),
                   {{"line", absl::StrCat(line)}, {"column", absl::StrCat(column)}});
}

absl::StatusOr<bool> CsvRecordReader::Refill() {
  if (at_end_) return false;
  const size_t kept = end_ - begin_;
  if (kept > static_cast<size_t>(kMaxRecordBytes)) {
    return RefuseAt(line_, 1,
                    absl::StrCat("the line, or a quoted field that is not closed, is longer than ",
                                 kMaxRecordBytes >> 20, " MiB."));
  }
  if (kept > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, kept);
  const size_t needed = kept + static_cast<size_t>(kReadBytes) + kPlainRowPadding;
  if (buffer_.size() < needed) buffer_.resize(needed);
  const absl::StatusOr<int64_t> got = file_.Read(buffer_.data() + kept, kReadBytes);
  if (!got.ok()) return got.status();
  begin_ = 0;
  end_ = kept + static_cast<size_t>(*got);
  std::memset(buffer_.data() + end_, 0, kPlainRowPadding);
  at_end_ = *got < kReadBytes;
  return *got > 0;
}

absl::StatusOr<bool> CsvRecordReader::NextLine(absl::string_view& record) {
  line_ = next_line_;
  bool quoted = false;
  size_t length = 0;
  for (;; ++length) {
    if (begin_ + length == end_) {
      const absl::StatusOr<bool> more = Refill();
      if (!more.ok()) return more.status();
      if (!*more) break;
    }
    const char c = buffer_[begin_ + length];
    if (c == '"') quoted = !quoted;
    if (c != '\n') continue;
    ++next_line_;
    if (!quoted) break;
  }
  if (quoted) return RefuseAt(line_, 1, "a quoted field is not closed.");
  record = absl::string_view(buffer_.data() + begin_, length);
  const bool line_end = begin_ + length < end_;
  begin_ += length + (line_end ? 1 : 0);
  if (!record.empty() && record.back() == '\r') record.remove_suffix(1);
  return line_end || length > 0;
}

absl::StatusOr<bool> CsvRecordReader::Next(char delimiter, absl::string_view& record) {
  while (true) {
    absl::StatusOr<bool> found = NextLine(record);
    if (!found.ok() || !*found) return found;
    if (line_ == 1) absl::ConsumePrefix(&record, kByteOrderMark);
    const bool blank = absl::StripAsciiWhitespace(record).empty() && !absl::StrContains(record, delimiter);
    if (!blank) return true;
  }
}

bool CsvFields::Next(absl::string_view& field) {
  if (done_) return false;
  size_t end = 0;
  if (!rest_.empty() && rest_.front() == '"') {
    size_t close = 1;
    while (close < rest_.size() && (rest_[close] != '"' || (close + 1 < rest_.size() && rest_[close + 1] == '"'))) {
      close += rest_[close] == '"' ? 2 : 1;
    }
    field = rest_.substr(1, std::min(close, rest_.size()) - 1);
    const size_t after = std::min(close + 1, rest_.size());
    end = std::min(rest_.find(delimiter_, after), rest_.size());
    malformed_ = !absl::StripAsciiWhitespace(rest_.substr(after, end - after)).empty();
  } else {
    end = std::min(rest_.find(delimiter_), rest_.size());
    field = rest_.substr(0, end);
    malformed_ = false;
  }
  done_ = end == rest_.size();
  rest_.remove_prefix(done_ ? end : end + 1);
  return true;
}

NumberKind ParseNumber(absl::string_view text, double& value) {
  text = absl::StripAsciiWhitespace(text);
  // std::from_chars takes no plus sign.
  if (absl::ConsumePrefix(&text, "+") && absl::StartsWith(text, "-")) return NumberKind::kText;
  const char* end = text.data() + text.size();
  double number = 0;
  auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::invalid_argument || stop != end) return NumberKind::kText;
  if (error == std::errc::result_out_of_range) {
    // Too large or too close to zero. The standard's function leaves it open which; this one gives the nearest number.
    absl::from_chars(text.data(), end, number);
    if (std::abs(number) > 1) return NumberKind::kNotFinite;
  }
  if (!std::isfinite(number)) return NumberKind::kNotFinite;
  value = number;
  return NumberKind::kFinite;
}

}  // namespace pilothouse::trainer
