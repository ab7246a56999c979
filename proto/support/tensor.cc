#include "proto/support/tensor.h"

#include <bit>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied byte by byte");

size_t ElementSize(v1::ElementType type) {
  switch (type) {
    case v1::ELEMENT_TYPE_FLOAT32:
      return sizeof(float);
    case v1::ELEMENT_TYPE_FLOAT64:
      return sizeof(double);
    default:
      return 0;
  }
}

template <typename T>
v1::Tensor Make(absl::Span<const T> values, absl::Span<const int64_t> shape, v1::ElementType type) {
  v1::Tensor tensor;
  tensor.set_element_type(type);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.mutable_data()->assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return tensor;
}

template <typename From, typename To>
std::vector<To> Convert(const std::string& data) {
  std::vector<From> from(data.size() / sizeof(From));
  if (!from.empty()) std::memcpy(from.data(), data.data(), from.size() * sizeof(From));
  return std::vector<To>(from.begin(), from.end());
}

template <typename To>
std::vector<To> ConvertTo(const v1::Tensor& tensor) {
  return tensor.element_type() == v1::ELEMENT_TYPE_FLOAT32 ? Convert<float, To>(tensor.data())
                                                           : Convert<double, To>(tensor.data());
}

}  // namespace

v1::Tensor MakeTensor(absl::Span<const float> values, absl::Span<const int64_t> shape) {
  return Make(values, shape, v1::ELEMENT_TYPE_FLOAT32);
}

v1::Tensor MakeTensor(absl::Span<const double> values, absl::Span<const int64_t> shape) {
  return Make(values, shape, v1::ELEMENT_TYPE_FLOAT64);
}

int64_t ElementCount(const v1::Tensor& tensor) {
  const size_t size = ElementSize(tensor.element_type());
  return size == 0 ? 0 : static_cast<int64_t>(tensor.data().size() / size);
}

absl::Status CheckTensor(const v1::Tensor& tensor, absl::string_view field) {
  const size_t size = ElementSize(tensor.element_type());
  if (size == 0) {
    return MakeError(v1::ERROR_REASON_ARRAY_DTYPE_INVALID, field,
                     absl::StrCat("The array ", field, " must have elements of type float32 or float64."),
                     {{"got", v1::ElementType_Name(tensor.element_type())}});
  }
  const std::string shape = absl::StrCat("[", absl::StrJoin(tensor.shape(), ", "), "]");
  size_t expected = size;
  bool fits = true;
  for (const int64_t extent : tensor.shape()) {
    // An array of more elements than data has bytes is wrong whatever follows, which also rules out overflow.
    fits = fits && extent >= 0 && (extent == 0 || expected <= tensor.data().size() / static_cast<size_t>(extent));
    expected = fits ? expected * static_cast<size_t>(extent) : expected;
  }
  if (fits && expected == tensor.data().size()) return absl::OkStatus();
  return MakeError(
      v1::ERROR_REASON_ARRAY_SHAPE_INVALID, field,
      absl::StrCat("The array ", field, " says it has shape ", shape, " but carries ", tensor.data().size(), " bytes."),
      {{"expected", shape}, {"got", absl::StrCat(tensor.data().size(), " bytes")}});
}

std::vector<double> ToDoubles(const v1::Tensor& tensor) { return ConvertTo<double>(tensor); }
std::vector<float> ToFloats(const v1::Tensor& tensor) { return ConvertTo<float>(tensor); }

}  // namespace pilothouse
