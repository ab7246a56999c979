// A text table's numbers, kept so that the text is parsed once for all who read it.
#ifndef PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_
#define PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_

#include <cstdint>
#include <optional>

#include "trainer/data/csv.h"
#include "trainer/data/number_table.h"

namespace pilothouse::trainer {

// Of one text. Both functions are about tables of all its columns whose numbers are stored. A copy is only ever made of
// a text that was read to its end, and what it cannot do is no error: the text is parsed then, or stays so.
class ParsedCopy {
 public:
  virtual ~ParsedCopy() = default;

  // The numbers that parsing the text with this delimiter gives, bit for bit. Nothing if there is no copy, or none that
  // is whole and has so many columns.
  virtual std::optional<NumberTable> Find(CsvDelimiter delimiter, int64_t columns) = 0;

  // Takes what the text was just parsed into with this delimiter. Returns the same numbers, where they are to be read
  // from now on.
  virtual NumberTable Keep(CsvDelimiter delimiter, NumberTable parsed) = 0;

 protected:
  ParsedCopy() = default;
  ParsedCopy(const ParsedCopy&) = default;
  ParsedCopy& operator=(const ParsedCopy&) = default;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PARSED_COPY_H_
