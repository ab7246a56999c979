// NPY files (numpy.save): reading them into tensors and writing tensors as such. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_NPY_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_NPY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/tensor.pb.h"

namespace pilothouse::client {

// The bytes of an NPY file, version 1.0. REQUIRES: CheckTensor is OK.
std::string WriteNpy(const v1::Tensor& tensor);

// Reads little-endian arrays in row-major order: float32 and float64 as they are; bool and integers of up to 32 bits
// become float64. Otherwise ARRAY_DTYPE_INVALID; DATA_MALFORMED for what is not an NPY file or is cut short.
absl::StatusOr<v1::Tensor> ParseNpy(absl::string_view bytes);

// Reads a whole file and parses it. NOT_FOUND and the like, without a reason, if it cannot be read.
absl::StatusOr<v1::Tensor> ReadNpyFile(const std::string& path);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_NPY_H_
