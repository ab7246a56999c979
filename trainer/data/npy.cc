#include "trainer/data/npy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "trainer/data/column_roles.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

// Elements that are read at once.
constexpr int64_t kBlockElements = 8192;

template <typename Element>
double Convert(const char* bytes) {
  Element element;
  std::memcpy(&element, bytes, sizeof(element));
  return static_cast<double>(element);
}

double ConvertBool(const char* bytes) { return *bytes == 0 ? 0 : 1; }

struct ElementType {
  const char* name;
  int64_t bytes;
  double (*convert)(const char*);
};

constexpr ElementType kElementTypes[] = {
    {"<f4", 4, &Convert<float>},    {"<f8", 8, &Convert<double>},   {"|b1", 1, &ConvertBool},
    {"|i1", 1, &Convert<int8_t>},   {"<i2", 2, &Convert<int16_t>},  {"<i4", 4, &Convert<int32_t>},
    {"<i8", 8, &Convert<int64_t>},  {"|u1", 1, &Convert<uint8_t>},  {"<u2", 2, &Convert<uint16_t>},
    {"<u4", 4, &Convert<uint32_t>}, {"<u8", 8, &Convert<uint64_t>},
};

const ElementType* FindType(const std::string& name) {
  for (const ElementType& type : kElementTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
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

}  // namespace

NpyReader::NpyReader(InputFile file, NpyHeader header, std::string what)
    : file_(std::move(file)),
      header_(std::move(header)),
      what_(std::move(what)),
      rows_(header_.shape[0]),
      columns_(header_.shape.size() == 2 ? header_.shape[1] : 1) {}

absl::StatusOr<NpyReader> NpyReader::Open(InputFile file, const std::string& what, int least_dimensions) {
  absl::StatusOr<NpyHeader> header = ReadNpyHeader(file);
  if (!header.ok()) return header.status();
  const ElementType* type = FindType(header->element_type);
  if (type == nullptr) {
    const std::string got = Printable(header->element_type);
    return MakeError(v1::ERROR_REASON_ARRAY_DTYPE_INVALID, "data",
                     absl::StrCat("The ", what, " have elements of type ", got,
                                  "; supported are little-endian float32, float64, integers and bool."),
                     {{"got", got}});
  }
  if (absl::Status status = CheckShape(header->shape, what, least_dimensions); !status.ok()) return status;
  const int64_t rest = file.size_bytes() - file.position();
  if (absl::Status status = CheckSize(*header, type->bytes, rest, what); !status.ok()) return status;
  return NpyReader(std::move(file), *std::move(header), what);
}

absl::Status NpyReader::ReadAll(absl::FunctionRef<void(int64_t row, int64_t column, double value)> take) {
  const ElementType& type = *FindType(header_.element_type);
  std::array<char, kBlockElements * 8> block;
  const int64_t elements = rows_ * columns_;
  for (int64_t begin = 0; begin < elements; begin += kBlockElements) {
    const int64_t count = std::min(kBlockElements, elements - begin);
    const absl::StatusOr<int64_t> got = file_.Read(block.data(), count * type.bytes);
    if (!got.ok()) return got.status();
    if (*got < count * type.bytes) {
      return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", "The data file changed while it was read.");
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = header_.fortran_order ? (begin + i) % rows_ : (begin + i) / columns_;
      const int64_t column = header_.fortran_order ? (begin + i) / rows_ : (begin + i) % columns_;
      const double value = type.convert(block.data() + i * type.bytes);
      if (!std::isfinite(value)) {
        return MakeError(
            v1::ERROR_REASON_DATA_MALFORMED, "data",
            absl::StrCat("Row ", row + 1, ", column ", column + 1, " of the ", what_, " is not a finite number."),
            {{"line", absl::StrCat(row + 1)}, {"column", absl::StrCat(column + 1)}});
      }
      take(row, column, value);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> ReadNpyTable(InputFile file, const std::vector<std::string>& target_columns,
                                     const std::optional<std::string>& weight_column) {
  absl::StatusOr<NpyReader> reader = NpyReader::Open(std::move(file), "rows of the table", 2);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<ColumnRoles> roles = ColumnRoles::Select({}, reader->columns(), target_columns, weight_column);
  if (!roles.ok()) return roles.status();
  Dataset data = roles->MakeDataset(reader->rows());
  const absl::Status status =
      reader->ReadAll([&](int64_t row, int64_t column, double value) { roles->At(data, row, column) = value; });
  if (!status.ok()) return status;
  return data;
}

absl::StatusOr<NumberTable> ReadNpyArray(InputFile file, const std::string& what, int least_dimensions) {
  absl::StatusOr<NpyReader> reader = NpyReader::Open(std::move(file), what, least_dimensions);
  if (!reader.ok()) return reader.status();
  NumberTable table{reader->rows(), reader->columns(), {}};
  table.values.resize(static_cast<size_t>(table.rows * table.columns));
  const absl::Status status = reader->ReadAll([&](int64_t row, int64_t column, double value) {
    table.values[static_cast<size_t>(row * table.columns + column)] = value;
  });
  if (!status.ok()) return status;
  return table;
}

}  // namespace pilothouse::trainer
