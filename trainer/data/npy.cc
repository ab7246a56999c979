#include "trainer/data/npy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "trainer/data/column_roles.h"
#include "trainer/data/npy_header.h"
#include "trainer/data/page_buffer.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

// Elements that are read at once.
constexpr int64_t kBlockElements = 32768;

constexpr struct {
  const char* name;
  ElementType type;
} kElementTypes[] = {
    {"<f4", ElementType::kFloat32}, {"<f8", ElementType::kFloat64}, {"|b1", ElementType::kBool},
    {"|i1", ElementType::kInt8},    {"<i2", ElementType::kInt16},   {"<i4", ElementType::kInt32},
    {"<i8", ElementType::kInt64},   {"|u1", ElementType::kUint8},   {"<u2", ElementType::kUint16},
    {"<u4", ElementType::kUint32},  {"<u8", ElementType::kUint64},
};

// An array that is still to be read.
struct NpyArray {
  std::string what;
  ElementType type = ElementType::kFloat64;
  int64_t rows = 0;
  int64_t columns = 0;
  // Whether elements of a column, not of a row, follow each other.
  bool by_column = false;

  int64_t row_bytes() const { return columns * BytesOf(type); }
};

absl::StatusOr<ElementType> FindType(const std::string& name, const std::string& what) {
  for (const auto& known : kElementTypes) {
    if (name == known.name) return known.type;
  }
  const std::string got = Printable(name);
  return MakeError(v1::ERROR_REASON_ARRAY_DTYPE_INVALID, "data",
                   absl::StrCat("The ", what, " have elements of type ", got,
                                "; supported are little-endian float32, float64, integers and bool."),
                   {{"got", got}});
}

absl::Status CheckShape(const std::vector<int64_t>& shape, const std::string& what, int least_dimensions) {
  const std::string got = absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
  const auto dimensions = static_cast<int>(shape.size());
  if (dimensions < least_dimensions || dimensions > 2 || (dimensions == 2 && shape[1] == 0)) {
    const std::string expected = least_dimensions == 2 ? "[rows, columns]" : "[rows] or [rows, columns]";
    return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "data",
                     absl::StrCat("The ", what, " must have shape ", expected, "; they have ", got, "."),
                     {{"expected", expected}, {"got", got}});
  }
  if (shape[0] == 0) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat("The ", what, " have no rows."),
                     {{"got", got}});
  }
  return absl::OkStatus();
}

// That the file holds just the elements its header tells of also bounds what is allocated for them.
absl::Status CheckSize(const NpyHeader& header, int64_t element_bytes, int64_t file_bytes, const std::string& what) {
  int64_t bytes = element_bytes;
  bool overflow = false;
  for (const int64_t size : header.shape) overflow = overflow || __builtin_mul_overflow(bytes, size, &bytes);
  if (!overflow && bytes == file_bytes) return absl::OkStatus();
  const std::string shape = absl::StrJoin(header.shape, ", ");
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("The NPY file of the ", what, " is damaged: for shape [", shape, "] of ",
                                header.element_type, " it should not have ", file_bytes, " bytes after its header."),
                   {{"bytes", absl::StrCat(file_bytes)}, {"shape", shape}});
}

absl::StatusOr<NpyArray> ReadHeader(ByteReader& reader, const std::string& what, int least_dimensions) {
  const absl::StatusOr<NpyHeader> header = ReadNpyHeader(reader);
  if (!header.ok()) return header.status();
  const absl::StatusOr<ElementType> type = FindType(header->element_type, what);
  if (!type.ok()) return type.status();
  if (absl::Status status = CheckShape(header->shape, what, least_dimensions); !status.ok()) return status;
  const int64_t rest = reader.size_bytes() - reader.position();
  if (absl::Status status = CheckSize(*header, BytesOf(*type), rest, what); !status.ok()) return status;
  NpyArray array{what, *type, header->shape[0], header->shape.size() == 2 ? header->shape[1] : 1};
  array.by_column = header->fortran_order && array.rows > 1 && array.columns > 1;
  return array;
}

// Returns the place of the first element that is not finite, or `count`. Raises `largest` to the largest magnitude.
template <typename Element>
int64_t CheckFinite(const char* elements, int64_t count, double& largest) {
  if constexpr (std::is_floating_point_v<Element>) {
    Element most = 0;
    bool finite = true;
    for (int64_t i = 0; i < count; ++i) {
      const Element magnitude = std::abs(LoadElement<Element>(elements + i * static_cast<int64_t>(sizeof(Element))));
      finite = finite && magnitude <= std::numeric_limits<Element>::max();
      most = std::max(most, magnitude);
    }
    largest = std::max(largest, static_cast<double>(most));
    int64_t place = 0;
    if (finite) return count;
    while (std::isfinite(LoadElement<Element>(elements + place * static_cast<int64_t>(sizeof(Element))))) ++place;
    return place;
  } else {
    // All integers lie between 2^64 and its negative.
    largest = 0x1p64;
    return count;
  }
}

absl::Status RefuseElement(const NpyArray& array, int64_t place) {
  const int64_t row = array.by_column ? place % array.rows : place / array.columns;
  const int64_t column = array.by_column ? place / array.rows : place % array.columns;
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "data",
      absl::StrCat("Row ", row + 1, ", column ", column + 1, " of the ", array.what, " is not a finite number."),
      {{"line", absl::StrCat(row + 1)}, {"column", absl::StrCat(column + 1)}});
}

// Puts `count` elements, of which the first is the `begin`-th column by column, where they belong row by row.
void TurnRound(const NpyArray& array, const char* block, int64_t begin, int64_t count, char* to) {
  const int64_t bytes = BytesOf(array.type);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = (begin + i) % array.rows;
    const int64_t column = (begin + i) / array.rows;
    std::memcpy(to + (row * array.columns + column) * bytes, block + i * bytes, static_cast<size_t>(bytes));
  }
}

// Reads what follows the header, checks it, and puts it into `to`, which may be null. Returns the largest magnitude.
absl::StatusOr<double> ReadThrough(ByteReader& reader, const NpyArray& array, char* to) {
  const int64_t bytes = BytesOf(array.type);
  const bool in_place = to != nullptr && !array.by_column;
  std::vector<char> block(static_cast<size_t>(in_place ? 0 : kBlockElements * bytes));
  const int64_t elements = array.rows * array.columns;
  double largest = 0;
  for (int64_t begin = 0; begin < elements; begin += kBlockElements) {
    const int64_t count = std::min(kBlockElements, elements - begin);
    char* const into = in_place ? to + begin * bytes : block.data();
    if (absl::Status status = ReadFully(reader, into, count * bytes); !status.ok()) return status;
    const int64_t bad = VisitElementType(
        array.type, [&](auto tag) { return CheckFinite<typename decltype(tag)::Element>(into, count, largest); });
    if (bad < count) return RefuseElement(array, begin + bad);
    if (to != nullptr && array.by_column) TurnRound(array, into, begin, count, to);
  }
  return largest;
}

absl::StatusOr<StoredNumbers> ReadElements(ByteReader& reader, const NpyArray& array, int64_t least_mapped_bytes) {
  StoredNumbers elements;
  elements.type = array.type;
  elements.row_bytes = array.row_bytes();
  elements.runs = {{0, array.columns}};
  const int64_t bytes = array.rows * array.row_bytes();
  if (bytes >= least_mapped_bytes && !array.by_column) {
    absl::StatusOr<std::shared_ptr<const char>> map = reader.Map();
    if (!map.ok()) return map.status();
    elements.mapped = *map != nullptr;
    elements.elements = elements.mapped ? map->get() + reader.position() : nullptr;
    elements.owner = *std::move(map);
  }
  char* to = nullptr;
  if (!elements.mapped) {
    const auto buffer = std::make_shared<PageBuffer>(bytes);
    to = buffer->data();
    elements.elements = to;
    elements.owner = buffer;
  }
  const absl::StatusOr<double> largest = ReadThrough(reader, array, to);
  if (!largest.ok()) return largest.status();
  elements.largest = *largest;
  return elements;
}

}  // namespace

absl::StatusOr<NumberTable> ReadNpyArray(ByteReader& reader, const std::string& what, int least_dimensions,
                                         int64_t least_mapped_bytes) {
  const absl::StatusOr<NpyArray> array = ReadHeader(reader, what, least_dimensions);
  if (!array.ok()) return array.status();
  absl::StatusOr<StoredNumbers> elements = ReadElements(reader, *array, least_mapped_bytes);
  if (!elements.ok()) return elements.status();
  return NumberTable{array->rows, array->columns, {}, *std::move(elements)};
}

absl::StatusOr<Dataset> ReadNpyTable(ByteReader& reader, const ColumnChoice& columns, int64_t least_mapped_bytes) {
  const absl::StatusOr<NpyArray> array = ReadHeader(reader, "rows of the table", 2);
  if (!array.ok()) return array.status();
  const absl::StatusOr<ColumnRoles> roles = ColumnRoles::Select({}, array->columns, columns);
  if (!roles.ok()) return roles.status();
  const absl::StatusOr<StoredNumbers> elements = ReadElements(reader, *array, least_mapped_bytes);
  if (!elements.ok()) return elements.status();
  return roles->Cut(array->rows, *elements);
}

}  // namespace pilothouse::trainer
