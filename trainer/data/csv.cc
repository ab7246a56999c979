#include "trainer/data/csv.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "proto/support/error.h"
#include "trainer/data/column_roles.h"
#include "trainer/data/csv_record.h"
#include "trainer/data/page_buffer.h"
#include "trainer/data/parsed_copy.h"
#include "trainer/data/plain_row.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kLeastBufferBytes = 64 << 10;

// What the first record tells.
struct Outline {
  char delimiter = ',';
  // Empty: there is no header.
  std::vector<std::string> names;
  int64_t columns = 0;
  // Columns whose names are not numbers.
  std::vector<int64_t> texts;
};

// What became of columns that are ignored.
class PassedOver {
 public:
  PassedOver(const std::vector<int64_t>& ignored, int64_t columns) : ignored_(static_cast<size_t>(columns)) {
    for (const int64_t column : ignored) ignored_[static_cast<size_t>(column)] = true;
  }

  // Whether a field of this column that is no number may be passed over; it was, then.
  bool Allow(int64_t column) {
    const bool ignored = ignored_[static_cast<size_t>(column)];
    any_ = any_ || ignored;
    return ignored;
  }

  bool any() const { return any_; }

 private:
  std::vector<bool> ignored_;
  bool any_ = false;
};

char FindDelimiter(absl::string_view record) {
  bool quoted = false;
  bool tab = false;
  for (const char c : record) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) return ',';
    tab = tab || (c == '\t' && !quoted);
  }
  return tab ? '\t' : ',';
}

Outline OutlineOf(absl::string_view record, CsvDelimiter delimiter) {
  Outline outline;
  outline.delimiter = delimiter == CsvDelimiter::kTab ? '\t' : FindDelimiter(record);
  CsvFields fields(record, outline.delimiter);
  for (absl::string_view field; fields.Next(field); ++outline.columns) {
    double value = 0;
    if (ParseNumber(field, value) == NumberKind::kText) outline.texts.push_back(outline.columns);
    outline.names.push_back(absl::StrReplaceAll(absl::StripAsciiWhitespace(field), {{"\"\"", "\""}}));
  }
  if (outline.texts.empty()) outline.names.clear();
  return outline;
}

// Rows of numbers, one after another, for as many rows as come.
class RowBuffer {
 public:
  // As many bytes as the text has is about what its numbers take. A file may be said to be larger than any memory, and
  // hold next to nothing: then it is seen how many rows come.
  RowBuffer(int64_t columns, int64_t text_bytes) : columns_(columns) {
    const int64_t least = std::max(kLeastBufferBytes, row_bytes());
    buffer_ = PageBuffer::TryNew(std::max(text_bytes, least));
    if (buffer_ == nullptr) buffer_ = std::make_shared<PageBuffer>(least);
  }

  int64_t row_bytes() const { return columns_ * static_cast<int64_t>(sizeof(double)); }
  int64_t rows() const { return rows_; }
  int64_t size_bytes() const { return buffer_->size_bytes(); }

  // Where the next row goes, valid until the next call of Append.
  double* next() { return reinterpret_cast<double*>(buffer_->data() + rows_ * row_bytes()); }

  // Keeps what was written to next(). Returns false if there is no memory for another row.
  bool Append() {
    ++rows_;
    return (rows_ + 1) * row_bytes() <= size_bytes() || buffer_->TryResize(2 * size_bytes() + row_bytes());
  }

  // REQUIRES: at least one row. Ends the buffer's use.
  StoredNumbers Finish() {
    buffer_->Resize(rows_ * row_bytes());
    StoredNumbers elements;
    elements.elements = buffer_->data();
    elements.row_bytes = row_bytes();
    elements.runs = {{0, columns_}};
    elements.owner = std::move(buffer_);
    return elements;
  }

 private:
  int64_t columns_;
  int64_t rows_ = 0;
  std::shared_ptr<PageBuffer> buffer_;
};

// A line that has text in ignored columns only may be the first example as well as a header.
absl::Status CheckHeader(const Outline& outline, const std::vector<int64_t>& ignored) {
  if (outline.texts.empty() ||
      !std::includes(ignored.begin(), ignored.end(), outline.texts.begin(), outline.texts.end())) {
    return absl::OkStatus();
  }
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   "In the first line only columns that are ignored have text, so it may be names or an example. Put a "
                   "line of names before all others, of which one at least that is not ignored is no number.",
                   {{"line", "1"}});
}

absl::Status RefuseEmpty() {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", "The table has no rows.", {{"rows", "0"}});
}

absl::Status RefuseMemory(const RowBuffer& rows) {
  return MakeError(v1::ERROR_REASON_DATASET_TOO_LARGE, "data",
                   absl::StrCat("The table is too large for the memory that the trainer can have: after ", rows.rows(),
                                " rows its numbers need more than ", rows.size_bytes(),
                                " bytes. Save it as an NPY file, which need not fit into memory."),
                   {{"limit_bytes", absl::StrCat(rows.size_bytes())}});
}

absl::Status RefuseField(int64_t line, int64_t column, absl::string_view field, NumberKind kind) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(field);
  if (stripped.empty()) return RefuseAt(line, column, "there is nothing where a number should be.");
  return RefuseAt(line, column,
                  absl::StrCat("\"", Printable(stripped), "\" is ",
                               kind == NumberKind::kText ? "not a number." : "not a finite number of float64."));
}

absl::Status RefuseRagged(int64_t line, int64_t column, int64_t expected) {
  return RefuseAt(line, column,
                  column > expected
                      ? absl::StrCat("the line has more columns than the first, which has ", expected, ".")
                      : absl::StrCat("the line ends, but the first line has ", expected, " columns."));
}

// Reads a record that begins on `line` into `row`.
absl::Status ReadRow(absl::string_view record, int64_t line, const Outline& outline, PassedOver& passed_over,
                     double* row) {
  CsvFields fields(record, outline.delimiter);
  int64_t column = 0;
  for (absl::string_view field; fields.Next(field); ++column) {
    if (column == outline.columns) return RefuseRagged(line, column + 1, outline.columns);
    if (fields.malformed()) return RefuseAt(line, column + 1, "text follows the closing quote.");
    const NumberKind kind = ParseNumber(field, row[column]);
    if (kind == NumberKind::kFinite) continue;
    if (!passed_over.Allow(column)) return RefuseField(line, column + 1, field, kind);
    row[column] = 0;
  }
  if (column < outline.columns) return RefuseRagged(line, column + 1, outline.columns);
  return absl::OkStatus();
}

// Reads rows off the reader's buffer as long as they hold nothing but plain numbers. Returns false where there is no
// memory for another one.
bool ReadPlainRows(CsvRecordReader& reader, const Outline& outline, RowBuffer& rows) {
  const absl::string_view text = reader.buffered();
  const char* const end = text.data() + text.size();
  const char* next = text.data();
  int64_t count = 0;
  bool has_room = true;
  while (next != end && has_room) {
    const char* const after = ParsePlainRow(next, end, outline.delimiter, outline.columns, rows.next());
    if (after == nullptr) break;
    has_room = rows.Append();
    next = after;
    ++count;
  }
  reader.Skip(static_cast<size_t>(next - text.data()), count);
  return has_room;
}

// Reads what follows the first record.
absl::Status ReadRows(CsvRecordReader& reader, const Outline& outline, PassedOver& passed_over, RowBuffer& rows) {
  while (true) {
    if (!ReadPlainRows(reader, outline, rows)) return RefuseMemory(rows);
    // Then comes another row, or one of which only the beginning is in the buffer.
    absl::string_view record;
    const absl::StatusOr<bool> found = reader.Next(outline.delimiter, record);
    if (!found.ok()) return found.status();
    if (!*found) return absl::OkStatus();
    absl::Status status = ReadRow(record, reader.line(), outline, passed_over, rows.next());
    if (!status.ok()) return status;
    if (!rows.Append()) return RefuseMemory(rows);
  }
}

std::optional<NumberTable> FindCopy(ParsedCopy& copy, const CsvForm& plain, const CsvForm& passed_over) {
  std::optional<NumberTable> found = copy.Find(plain);
  return found.has_value() || passed_over == plain ? found : copy.Find(passed_over);
}

}  // namespace

absl::StatusOr<Dataset> ReadCsv(InputFile& file, CsvDelimiter delimiter, const ColumnChoice& columns,
                                ParsedCopy* copy) {
  file.Rewind();
  CsvRecordReader reader(file);
  absl::string_view record;
  const absl::StatusOr<bool> found = reader.Next(delimiter == CsvDelimiter::kTab ? '\t' : ',', record);
  if (!found.ok()) return found.status();
  if (!*found) return RefuseEmpty();
  const Outline outline = OutlineOf(record, delimiter);
  const absl::StatusOr<ColumnRoles> roles = ColumnRoles::Select(outline.names, outline.columns, columns);
  if (!roles.ok()) return roles.status();
  if (absl::Status status = CheckHeader(outline, roles->ignored()); !status.ok()) return status;
  // A text whose ignored columns are numbers, too, has one copy for all who read it, whatever they ignore.
  const CsvForm all_numbers = {delimiter, outline.columns};
  const CsvForm some_text = {delimiter, outline.columns, roles->ignored()};
  if (copy != nullptr) {
    const std::optional<NumberTable> kept = FindCopy(*copy, all_numbers, some_text);
    if (kept.has_value()) return roles->Cut(kept->rows, *kept->stored);
  }
  RowBuffer rows(outline.columns, file.size_bytes());
  PassedOver passed_over(roles->ignored(), outline.columns);
  if (outline.names.empty()) {
    absl::Status status = ReadRow(record, reader.line(), outline, passed_over, rows.next());
    if (!status.ok()) return status;
    if (!rows.Append()) return RefuseMemory(rows);
  }
  if (absl::Status status = ReadRows(reader, outline, passed_over, rows); !status.ok()) return status;
  if (rows.rows() == 0) return RefuseEmpty();
  NumberTable parsed{rows.rows(), outline.columns, {}, rows.Finish()};
  if (copy != nullptr) parsed = copy->Keep(passed_over.any() ? some_text : all_numbers, std::move(parsed));
  return roles->Cut(parsed.rows, *parsed.stored);
}

}  // namespace pilothouse::trainer
