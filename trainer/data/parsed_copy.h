// A text table's numbers, kept so that the text is parsed once for all who read it.
#ifndef PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_
#define PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/data/csv.h"
#include "trainer/data/number_table.h"

namespace pilothouse::trainer {

// How a text is parsed into numbers.
struct CsvForm {
  CsvDelimiter delimiter = CsvDelimiter::kDetected;
  int64_t columns = 0;
  // Columns, from 0 and ascending, of which fields that are no numbers were taken as 0. Empty where there are none
  // such, whatever is ignored.
  std::vector<int64_t> passed_over = {};

  bool operator==(const CsvForm&) const = default;
};

// Of one text. Both functions are about tables of all its columns whose numbers are stored. A copy is only ever made of
// a text that was read to its end, and what it cannot do is no error: the text is parsed then, or stays so.
class ParsedCopy {
 public:
  virtual ~ParsedCopy() = default;

  // The numbers that parsing the text in this form gives, bit for bit. Nothing if there is no copy, or none that is
  // whole and has so many columns.
  virtual std::optional<NumberTable> Find(const CsvForm& form) = 0;

  // Takes what the text was just parsed into in this form. Returns the same numbers, where they are to be read
  // from now on.
  virtual NumberTable Keep(const CsvForm& form, NumberTable parsed) = 0;

 protected:
  ParsedCopy() = default;
  ParsedCopy(const ParsedCopy&) = default;
  ParsedCopy& operator=(const ParsedCopy&) = default;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_
