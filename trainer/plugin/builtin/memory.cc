#include "trainer/plugin/builtin/memory.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {

void MemoryWriter::Word(absl::string_view word) { absl::StrAppend(&text_, text_.empty() ? "" : " ", word); }

void MemoryWriter::Integer(int64_t value) { Word(absl::StrCat(value)); }

void MemoryWriter::Number(double value) { Word(absl::StrFormat("%.17g", value)); }

MemoryReader::MemoryReader(absl::string_view text) : words_(absl::StrSplit(text, ' ', absl::SkipEmpty())) {}

std::string MemoryReader::Word() {
  if (next_ < words_.size()) return words_[next_++];
  fits_ = false;
  return "";
}

int64_t MemoryReader::Integer() {
  int64_t value = 0;
  if (absl::SimpleAtoi(Word(), &value)) return value;
  fits_ = false;
  return 0;
}

double MemoryReader::Number() {
  double value = 0;
  if (absl::SimpleAtod(Word(), &value)) return value;
  fits_ = false;
  return 0;
}

absl::Status MemoryReader::Finish() const {
  if (fits_ && next_ == words_.size()) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_PLUGIN_INVALID, "state",
      "What the plugin remembered cannot be read: another version of the trainer may have saved it. Attach "
      "the plugin anew.");
}

}  // namespace pilothouse::trainer
