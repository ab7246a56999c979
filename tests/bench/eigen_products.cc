// Eigen's matrix products, as a library that is loaded at run time: see multiply.h.
#include <Eigen/Core>

#include "tests/bench/multiply.h"

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix>;

}  // namespace

extern "C" __attribute__((visibility("default"))) void PilothouseEigenMultiply(pilothouse::bench::Form form, int m,
                                                                               int n, int k, const float* a,
                                                                               const float* b, float* c) {
  Eigen::Map<Matrix> out(c, m, n);
  switch (form) {
    case pilothouse::bench::kPlain:
      out.noalias() = In(a, m, k) * In(b, k, n);
      break;
    case pilothouse::bench::kLeftTransposed:
      out.noalias() = In(a, k, m).transpose() * In(b, k, n);
      break;
    case pilothouse::bench::kRightTransposed:
      out.noalias() = In(a, m, k) * In(b, n, k).transpose();
      break;
  }
}
