// For tests: the numbers of a table, wherever they lie.
#ifndef PILOTHOUSE_TRAINER_DATA_TABLE_VALUES_H_
#define PILOTHOUSE_TRAINER_DATA_TABLE_VALUES_H_

#include <utility>
#include <vector>

#include "trainer/data/number_table.h"

namespace pilothouse::trainer {

// Row by row.
inline std::vector<double> Values(NumberTable table) {
  TakeIntoValues(table);
  return std::move(table.values);
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_TABLE_VALUES_H_
