// Matrix products of libraries that are there or not, each by one thread.
#ifndef PILOTHOUSE_TESTS_BENCH_MULTIPLY_H_
#define PILOTHOUSE_TESTS_BENCH_MULTIPLY_H_

#include "absl/status/statusor.h"

namespace pilothouse::bench {

// What is multiplied to c, of shape [m, n]; all are row-major and lie close.
enum Form {
  kPlain,            // a·b, a [m, k], b [k, n]
  kLeftTransposed,   // aᵀ·b, a [k, m], b [k, n]
  kRightTransposed,  // a·bᵀ, a [m, k], b [n, k]
};

using Multiply = void(Form form, int m, int n, int k, const float* a, const float* b, float* c);

// Eigen, compiled for the widest vectors that this processor has: a library of its own for each, since everything else
// here runs on any processor.
absl::StatusOr<Multiply*> EigenMultiply();

// The distribution's OpenBLAS and BLIS; NotFoundError if they are not installed.
absl::StatusOr<Multiply*> OpenBlasMultiply();
absl::StatusOr<Multiply*> BlisMultiply();

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_MULTIPLY_H_
