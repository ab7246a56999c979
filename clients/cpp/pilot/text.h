// Numbers, times and words as people read them. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_TEXT_H_

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pilothouse::client {

// "0.042131", "1.2346e-05", "NaN", "Infinity": `digits` significant ones, no zeros at the end.
std::string FormatNumber(double value, int digits = 6);
// A loss to 5 digits; "none yet" for −1, which stands for no loss.
std::string FormatLoss(double loss);
// "1,234,567".
std::string FormatCount(int64_t count);
// "950 B", "1.2 MB": powers of 1,000.
std::string FormatBytes(int64_t bytes);
// "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "3 d 4 h"; never negative.
std::string FormatSpan(absl::Duration span);
// The time of day in the local zone, "12:03:41".
std::string FormatClock(const google::protobuf::Timestamp& time);
// "2026-11-20 12:03", in the local zone.
std::string FormatDateTime(const google::protobuf::Timestamp& time);
absl::Time ToTime(const google::protobuf::Timestamp& time);

// Text from elsewhere, made safe for a terminal: control characters and broken UTF-8 become '?'.
std::string Printable(absl::string_view text);
// The same for text of several lines, with `separator` between them.
std::string PrintableLines(absl::string_view text, absl::string_view separator);
// Names, each made printable, separated by commas; of more than 17 the first 16, "…" and the last.
std::string NameList(const std::vector<std::string>& names);
// How many columns of a terminal valid UTF-8 takes.
int DisplayWidth(absl::string_view text);
// The longest beginning that fits into `width` columns; the last is "…" where something was cut.
std::string Truncate(absl::string_view text, int width);

// Text behind `begin`, broken between words into lines of at most `width` columns, each ended; those after the first
// begin with `indent` spaces. A longer word has a line of its own.
std::string WrapText(absl::string_view begin, absl::string_view text, int indent, int width);

// Columns of text, each as wide as its widest cell, two spaces apart. The first row is the header. `right_aligned`
// columns hold numbers.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right_aligned,
                        absl::string_view indent);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_TEXT_H_
