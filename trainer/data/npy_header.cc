#include "trainer/data/npy_header.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

absl::Status Refuse(absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat("The NPY file is damaged: ", why, "."));
}

absl::Status RefuseHeader() { return Refuse("its header is not one that NumPy writes"); }

// Takes pieces off the front. Each function returns false, and leaves what was there, if something else comes next.
class Cursor {
 public:
  explicit Cursor(absl::string_view text) : rest_(text) {}

  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }

  bool Take(absl::string_view token) {
    SkipBlanks();
    return absl::ConsumePrefix(&rest_, token);
  }

  bool NextIs(char c) {
    SkipBlanks();
    return !rest_.empty() && rest_.front() == c;
  }

  bool TakeString(std::string& value) {
    SkipBlanks();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return false;
    const size_t close = rest_.find(rest_.front(), 1);
    if (close == absl::string_view::npos) return false;
    value = std::string(rest_.substr(1, close - 1));
    rest_.remove_prefix(close + 1);
    return true;
  }

  // A whole number of 0 or more, with the L that Python 2 wrote.
  bool TakeSize(int64_t& value) {
    SkipBlanks();
    const size_t length = static_cast<size_t>(
        std::find_if_not(rest_.begin(), rest_.end(), [](unsigned char c) { return absl::ascii_isdigit(c); }) -
        rest_.begin());
    if (!absl::SimpleAtoi(rest_.substr(0, length), &value)) return false;
    rest_.remove_prefix(length);
    absl::ConsumePrefix(&rest_, "L");
    return true;
  }

  bool TakeShape(std::vector<int64_t>& shape) {
    if (!Take("(")) return false;
    shape.clear();
    while (!Take(")")) {
      int64_t size = 0;
      if (!TakeSize(size)) return false;
      shape.push_back(size);
      if (!Take(",")) return Take(")");
    }
    return true;
  }

 private:
  void SkipBlanks() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  absl::string_view rest_;
};

absl::Status ParseEntry(Cursor& cursor, NpyHeader& header, int& known) {
  std::string key;
  if (!cursor.TakeString(key) || !cursor.Take(":")) return RefuseHeader();
  bool ok = true;
  if (key == "descr") {
    if (cursor.Take("[")) {
      return MakeError(v1::ERROR_REASON_ARRAY_DTYPE_INVALID, "data",
                       "The array's elements are structures; numbers are needed.", {{"got", "structure"}});
    }
    ok = cursor.TakeString(header.element_type);
  } else if (key == "fortran_order") {
    header.fortran_order = cursor.Take("True");
    ok = header.fortran_order || cursor.Take("False");
  } else if (key == "shape") {
    ok = cursor.TakeShape(header.shape);
  } else {
    ok = false;
  }
  ++known;
  return ok ? absl::OkStatus() : RefuseHeader();
}

// Fills `to` or refuses.
absl::Status ReadExactly(ByteReader& reader, std::string& to) {
  const absl::StatusOr<int64_t> got = reader.Read(to.data(), static_cast<int64_t>(to.size()));
  if (!got.ok()) return got.status();
  return *got == static_cast<int64_t>(to.size()) ? absl::OkStatus() : Refuse("it ends within its header");
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text) {
  constexpr int kEntries = 3;
  NpyHeader header;
  Cursor cursor(text);
  int known = 0;
  if (!cursor.Take("{")) return RefuseHeader();
  for (bool closed = cursor.Take("}"); !closed; closed = cursor.Take("}")) {
    if (absl::Status status = ParseEntry(cursor, header, known); !status.ok()) return status;
    // A comma may follow the last entry.
    if (!cursor.Take(",") && !cursor.NextIs('}')) return RefuseHeader();
  }
  if (known != kEntries || !cursor.AtEnd() || header.element_type.empty()) return RefuseHeader();
  return header;
}

absl::StatusOr<NpyHeader> ReadNpyHeader(ByteReader& reader) {
  constexpr size_t kMagicBytes = sizeof(kNpyMagic) - 1;
  std::string start(kMagicBytes + 2, '\0');
  if (absl::Status status = ReadExactly(reader, start); !status.ok()) return status;
  if (!absl::StartsWith(start, kNpyMagic)) return Refuse("it does not begin as an NPY file does");
  const auto version = static_cast<unsigned char>(start[kMagicBytes]);
  if (version < 1 || version > 3) return Refuse("its version is unknown");
  std::string length_bytes(version == 1 ? 2 : 4, '\0');
  if (absl::Status status = ReadExactly(reader, length_bytes); !status.ok()) return status;
  uint32_t length = 0;
  std::memcpy(&length, length_bytes.data(), length_bytes.size());
  if (length > kMaxNpyHeaderBytes) return Refuse(absl::StrCat("its header claims to have ", length, " bytes"));
  std::string text(length, '\0');
  if (absl::Status status = ReadExactly(reader, text); !status.ok()) return status;
  return ParseNpyHeader(text);
}

std::string NpyHeaderOfFloat64(int64_t rows, int64_t columns) {
  std::string text = absl::StrCat("{'descr': '<f8', 'fortran_order': False, 'shape': (", rows, ", ", columns, "), }");
  std::string start = absl::StrCat(kNpyMagic, std::string("\x01\x00", 2));
  // With the two bytes of its length, and the line end.
  const size_t bytes = start.size() + 2 + text.size() + 1;
  const auto alignment = static_cast<size_t>(kNpyAlignment);
  text.append((alignment - bytes % alignment) % alignment, ' ');
  text += '\n';
  const auto length = static_cast<uint16_t>(text.size());
  char length_bytes[sizeof(length)];
  std::memcpy(length_bytes, &length, sizeof(length));
  return absl::StrCat(start, absl::string_view(length_bytes, sizeof(length_bytes)), text);
}

}  // namespace pilothouse::trainer
