// The records of a CSV file, their fields, and the numbers in these.
//
// Fields are separated by a delimiter: a comma, or in TSV a tab. One that begins with a double quote ends with the next
// single one, and may hold delimiters and line ends between; a doubled quote stands for one. Lines end with \n or \r\n.
// Blank lines do not count as records; what holds delimiters only is not blank.
#ifndef PILOTHOUSE_TRAINER_DATA_CSV_RECORD_H_
#define PILOTHOUSE_TRAINER_DATA_CSV_RECORD_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

// Longest record that is read.
inline constexpr int64_t kMaxRecordBytes = 8 << 20;

// DATA_MALFORMED at a place in the file; both count from 1.
absl::Status RefuseAt(int64_t line, int64_t column, absl::string_view why);

// Reads record after record through a buffer of constant size. Not thread-safe.
class CsvRecordReader {
 public:
  // `file` must stay alive, and is read from where it stands.
  explicit CsvRecordReader(InputFile& file) : file_(file) {}

  // Sets `record` to the next one, without its line end, valid until the next call; false at the end of the file. With
  // a delimiter of tab, tabs make a line that is not blank. Errors: DATA_MALFORMED for a record that is too long or
  // ends within quotes.
  absl::StatusOr<bool> Next(char delimiter, absl::string_view& record);

  // The line on which the last record begins, from 1.
  int64_t line() const { return line_; }

  // What was read and is not consumed yet; it may end anywhere, and kPlainRowPadding bytes of 0 follow it. Valid until
  // the next call of Next.
  absl::string_view buffered() const { return {buffer_.data() + begin_, end_ - begin_}; }

  // Consumes `bytes` of what is buffered: `records` whole records of one line each.
  void Skip(size_t bytes, int64_t records) {
    begin_ += bytes;
    next_line_ += records;
  }

 private:
  // As Next(), blank lines included.
  absl::StatusOr<bool> NextLine(absl::string_view& record);
  // Throws away what was consumed and reads on; false at the end of the file.
  absl::StatusOr<bool> Refill();

  InputFile& file_;
  std::vector<char> buffer_;
  // Of what has not been consumed.
  size_t begin_ = 0;
  size_t end_ = 0;
  bool at_end_ = false;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
};

// Takes fields off a record one by one.
class CsvFields {
 public:
  CsvFields(absl::string_view record, char delimiter) : rest_(record), delimiter_(delimiter) {}

  // Sets `field` to the next one, without its quotes but with quotes within still doubled; false if there is none.
  bool Next(absl::string_view& field);

  // Whether the last field had something between its closing quote and the delimiter.
  bool malformed() const { return malformed_; }

 private:
  absl::string_view rest_;
  char delimiter_;
  bool done_ = false;
  bool malformed_ = false;
};

enum class NumberKind { kFinite, kNotFinite, kText };

// Reads a decimal number, blanks around it allowed; `value` is set only if it is finite.
NumberKind ParseNumber(absl::string_view text, double& value);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_CSV_RECORD_H_
