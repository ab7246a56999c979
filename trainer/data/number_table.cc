#include "trainer/data/number_table.h"

#include <utility>

namespace pilothouse::trainer {
namespace {

double ElementAsDouble(ElementType type, const char* element) {
  return VisitElementType(
      type, [element](auto tag) { return static_cast<double>(LoadElement<typename decltype(tag)::Element>(element)); });
}

// Writes the rows' elements to `to`, each looked up once, however many runs they are in.
template <typename Element>
void CopyElements(const StoredNumbers& stored, int64_t rows, double* to) {
  for (int64_t row = 0; row < rows; ++row) {
    const char* const elements = stored.elements + row * stored.row_bytes;
    for (const ColumnRun& run : stored.runs) {
      for (int64_t column = run.first; column < run.first + run.count; ++column) {
        const auto element = LoadElement<Element>(elements + column * static_cast<int64_t>(sizeof(Element)));
        *to++ = static_cast<double>(element);
      }
    }
  }
}

}  // namespace

double NumberTable::At(int64_t row, int64_t column) const {
  if (!stored.has_value()) return values[static_cast<size_t>(row * columns + column)];
  size_t run = 0;
  for (; column >= stored->runs[run].count; ++run) column -= stored->runs[run].count;
  const int64_t place = stored->runs[run].first + column;
  return ElementAsDouble(stored->type, stored->elements + row * stored->row_bytes + place * BytesOf(stored->type));
}

StoredNumbers ElementsOf(const NumberTable& table) {
  if (table.stored.has_value()) return *table.stored;
  StoredNumbers stored;
  stored.elements = reinterpret_cast<const char*>(table.values.data());
  stored.row_bytes = table.columns * static_cast<int64_t>(sizeof(double));
  stored.runs = {{0, table.columns}};
  return stored;
}

void TakeIntoValues(NumberTable& table) {
  if (!table.stored.has_value()) return;
  std::vector<double> values(static_cast<size_t>(table.rows * table.columns));
  VisitElementType(table.stored->type, [&](auto tag) {
    CopyElements<typename decltype(tag)::Element>(*table.stored, table.rows, values.data());
  });
  table.values = std::move(values);
  table.stored.reset();
}

}  // namespace pilothouse::trainer
