#include "trainer/data/csv.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "proto/support/error.h"
#include "trainer/data/column_roles.h"
#include "trainer/data/csv_record.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

// What a first look at the whole file tells.
struct Outline {
  // Empty: there is no header.
  std::vector<std::string> names;
  int64_t columns = 0;
  // Without the header.
  int64_t rows = 0;
};

void ReadFirstRecord(absl::string_view record, Outline& outline) {
  bool is_header = false;
  CsvFields fields(record);
  for (absl::string_view field; fields.Next(field);) {
    double value = 0;
    is_header = is_header || ParseNumber(field, value) == NumberKind::kText;
    outline.names.push_back(absl::StrReplaceAll(absl::StripAsciiWhitespace(field), {{"\"\"", "\""}}));
  }
  outline.columns = static_cast<int64_t>(outline.names.size());
  if (!is_header) {
    outline.names.clear();
    outline.rows = 1;
  }
}

// Counting the rows first costs little beside reading the numbers, and lets the result be allocated once.
absl::StatusOr<Outline> ReadOutline(InputFile& file) {
  file.Rewind();
  CsvRecordReader reader(file);
  Outline outline;
  absl::string_view record;
  absl::StatusOr<bool> found = reader.Next(record);
  if (found.ok() && *found) ReadFirstRecord(record, outline);
  while (found.ok() && *found) {
    found = reader.Next(record);
    if (found.ok() && *found) ++outline.rows;
  }
  if (!found.ok()) return found.status();
  if (outline.rows == 0) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", "The table has no rows.", {{"rows", "0"}});
  }
  return outline;
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

absl::Status ReadRow(const CsvRecordReader& reader, absl::string_view record, const ColumnRoles& roles, int64_t row,
                     Dataset& data) {
  CsvFields fields(record);
  int64_t column = 0;
  for (absl::string_view field; fields.Next(field); ++column) {
    if (column == roles.columns()) return RefuseRagged(reader.line(), column + 1, roles.columns());
    if (fields.malformed()) return RefuseAt(reader.line(), column + 1, "text follows the closing quote.");
    const NumberKind kind = ParseNumber(field, roles.At(data, row, column));
    if (kind != NumberKind::kFinite) return RefuseField(reader.line(), column + 1, field, kind);
  }
  if (column < roles.columns()) return RefuseRagged(reader.line(), column + 1, roles.columns());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Dataset> ReadCsv(InputFile& file, const std::vector<std::string>& target_columns,
                                const std::optional<std::string>& weight_column) {
  const absl::StatusOr<Outline> outline = ReadOutline(file);
  if (!outline.ok()) return outline.status();
  const absl::StatusOr<ColumnRoles> roles =
      ColumnRoles::Select(outline->names, outline->columns, target_columns, weight_column);
  if (!roles.ok()) return roles.status();
  // A row takes two bytes a column. Where the file has not as many, some row is too short and will be refused, so that
  // there is nothing to keep: what is allocated never exceeds what the file can hold.
  const bool fits = 2 * outline->rows * outline->columns <= file.size_bytes() + 1;
  Dataset data = roles->MakeDataset(fits ? outline->rows : 1);
  file.Rewind();
  CsvRecordReader reader(file);
  absl::string_view record;
  absl::StatusOr<bool> found = outline->names.empty() ? true : reader.Next(record);
  for (int64_t row = 0; found.ok() && *found && row < outline->rows; ++row) {
    found = reader.Next(record);
    if (!found.ok() || !*found) break;
    if (absl::Status status = ReadRow(reader, record, *roles, fits ? row : 0, data); !status.ok()) return status;
  }
  if (!found.ok()) return found.status();
  if (!*found) return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", "The table changed while it was read.");
  return data;
}

}  // namespace pilothouse::trainer
