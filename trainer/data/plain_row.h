// Rows of a CSV file that hold nothing but plain numbers, read at once: the fast way to what CsvFields and ParseNumber
// (csv_record.h) read one by one.
#ifndef PILOTHOUSE_TRAINER_DATA_PLAIN_ROW_H_
#define PILOTHOUSE_TRAINER_DATA_PLAIN_ROW_H_

#include <cstddef>
#include <cstdint>

namespace pilothouse::trainer {

// Bytes that must be readable behind a row, and must be 0.
inline constexpr size_t kPlainRowPadding = 16;

// Reads `columns` numbers, separated by `delimiter` and blanks, up to and with the line end. Returns what follows it,
// or null if this is no such row, or not all of it is before `end`: it then has to be read the other way, and nothing
// is known of `row`. What is returned is never behind `end`. Pure and thread-safe.
const char* ParsePlainRow(const char* text, const char* end, char delimiter, int64_t columns, double* row);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PLAIN_ROW_H_
