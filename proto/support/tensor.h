// Arrays on the wire: making, checking and reading v1::Tensor. Pure and thread-safe. Hosts are little-endian.
#ifndef PILOTHOUSE_PROTO_SUPPORT_TENSOR_H_
#define PILOTHOUSE_PROTO_SUPPORT_TENSOR_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pilothouse/v1/tensor.pb.h"

namespace pilothouse {

// Copies `values` (row-major) into a tensor. REQUIRES: values.size() is the product of `shape`.
v1::Tensor MakeTensor(absl::Span<const float> values, absl::Span<const int64_t> shape);
v1::Tensor MakeTensor(absl::Span<const double> values, absl::Span<const int64_t> shape);

// Number of elements, which for a tensor that passed CheckTensor agrees with its data.
int64_t ElementCount(const v1::Tensor& tensor);

// OK if the element type is known, no dimension is negative and the data has the length that type and shape ask for.
// Otherwise ARRAY_DTYPE_INVALID or ARRAY_SHAPE_INVALID, blaming `field`.
absl::Status CheckTensor(const v1::Tensor& tensor, absl::string_view field);

// The elements, converted. REQUIRES: CheckTensor is OK.
std::vector<double> ToDoubles(const v1::Tensor& tensor);
std::vector<float> ToFloats(const v1::Tensor& tensor);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_TENSOR_H_
