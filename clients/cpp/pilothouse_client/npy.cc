#include "clients/cpp/pilothouse_client/npy.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;
constexpr int kMaxDimensions = 32;

absl::Status Malformed(absl::string_view what) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", absl::StrCat("this is not a usable NPY file: ", what, "."));
}

// The header is a Python dictionary: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }. Returns what stands
// between `key`'s colon and the end.
absl::StatusOr<absl::string_view> After(absl::string_view header, absl::string_view key) {
  const size_t at = header.find(absl::StrCat("'", key, "':"));
  if (at == absl::string_view::npos) return Malformed(absl::StrCat("its header has no ", key));
  return absl::StripLeadingAsciiWhitespace(header.substr(at + key.size() + 3));
}

absl::StatusOr<std::vector<int64_t>> ParseShape(absl::string_view text) {
  const size_t end = text.find(')');
  if (!absl::StartsWith(text, "(") || end == absl::string_view::npos) return Malformed("its shape is not a tuple");
  std::vector<int64_t> shape;
  for (absl::string_view part : absl::StrSplit(text.substr(1, end - 1), ',', absl::SkipWhitespace())) {
    int64_t size = 0;
    // Bounded so that no product of sizes overflows unnoticed.
    if (!absl::SimpleAtoi(part, &size) || size < 0 || size > (int64_t{1} << 40) || shape.size() == kMaxDimensions) {
      return Malformed(absl::StrCat("its shape holds ", part));
    }
    shape.push_back(size);
  }
  return shape;
}

template <typename T>
std::vector<double> Widen(absl::string_view data, int64_t count) {
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

using Reader = std::vector<double> (*)(absl::string_view, int64_t);
struct ArrayType {
  absl::string_view name;
  size_t bytes;
  // Set for what is sent as it is.
  v1::ElementType element_type;
  Reader widen;
};

constexpr ArrayType kTypes[] = {
    {"<f4", 4, v1::ELEMENT_TYPE_FLOAT32, nullptr},
    {"<f8", 8, v1::ELEMENT_TYPE_FLOAT64, nullptr},
    {"|b1", 1, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<uint8_t>},
    {"|u1", 1, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<uint8_t>},
    {"|i1", 1, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<int8_t>},
    {"<u2", 2, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<uint16_t>},
    {"<i2", 2, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<int16_t>},
    {"<u4", 4, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<uint32_t>},
    {"<i4", 4, v1::ELEMENT_TYPE_UNSPECIFIED, Widen<int32_t>},
};

absl::StatusOr<v1::Tensor> Convert(absl::string_view type_name, const std::vector<int64_t>& shape,
                                   absl::string_view data) {
  for (const ArrayType& type : kTypes) {
    if (type.name != type_name) continue;
    uint64_t count = 1;
    for (const int64_t size : shape) {
      if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count))
        return Malformed("its shape is too large");
    }
    if (data.size() % type.bytes != 0 || data.size() / type.bytes != count) {
      return Malformed(absl::StrCat("its shape asks for ", count, " elements of ", type.bytes, " bytes, and there are ",
                                    data.size(), " bytes"));
    }
    if (type.widen != nullptr) return MakeTensor(type.widen(data, static_cast<int64_t>(count)), shape);
    v1::Tensor tensor;
    tensor.set_element_type(type.element_type);
    for (const int64_t size : shape) tensor.add_shape(size);
    tensor.set_data(data.data(), data.size());
    return tensor;
  }
  return MakeError(v1::ERROR_REASON_ARRAY_DTYPE_INVALID, "",
                   absl::StrCat("arrays of type ", type_name, " are not supported; use float32 or float64."),
                   {{"got", std::string(type_name)}});
}

}  // namespace

std::string WriteNpy(const v1::Tensor& tensor) {
  std::string header = absl::StrCat("{'descr': '", tensor.element_type() == v1::ELEMENT_TYPE_FLOAT32 ? "<f4" : "<f8",
                                    "', 'fortran_order': False, 'shape': (", absl::StrJoin(tensor.shape(), ", "),
                                    tensor.shape_size() == 1 ? ",), }" : "), }");
  constexpr size_t kBeforeHeader = 10;
  const size_t unpadded = kBeforeHeader + header.size() + 1;
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  header.push_back('\n');
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  return absl::StrCat(bytes, header, tensor.data());
}

absl::StatusOr<v1::Tensor> ParseNpy(absl::string_view bytes) {
  if (!absl::ConsumePrefix(&bytes, kMagic) || bytes.size() < 6) return Malformed("it does not begin like one");
  const size_t version = static_cast<unsigned char>(bytes[0]);
  const size_t length_bytes = version == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[2 + i])) << (8 * i);
  bytes.remove_prefix(2 + length_bytes);
  if (length > bytes.size()) return Malformed("its header is cut short");
  const absl::string_view header = bytes.substr(0, length);
  const absl::StatusOr<absl::string_view> type = After(header, "descr");
  if (!type.ok()) return type.status();
  const absl::StatusOr<absl::string_view> order = After(header, "fortran_order");
  if (!order.ok()) return order.status();
  const absl::StatusOr<absl::string_view> shape_text = After(header, "shape");
  if (!shape_text.ok()) return shape_text.status();
  const absl::StatusOr<std::vector<int64_t>> shape = ParseShape(*shape_text);
  if (!shape.ok()) return shape.status();
  if (absl::StartsWith(*order, "True") && shape->size() > 1) {
    return Malformed("it is in column-major order; save numpy.ascontiguousarray(x)");
  }
  const std::vector<absl::string_view> quoted = absl::StrSplit(*type, absl::MaxSplits('\'', 2));
  if (quoted.size() < 3) return Malformed("its type is not a plain number");
  return Convert(quoted[1], *shape, bytes.substr(length));
}

absl::StatusOr<v1::Tensor> ReadNpyFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return ParseNpy(bytes);
}

}  // namespace pilothouse::client
