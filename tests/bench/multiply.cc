#include "tests/bench/multiply.h"

#include <dlfcn.h>

#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace pilothouse::bench {
namespace {

// The numbers of CBLAS, whose header is not needed to build this.
constexpr int kRowMajor = 101;
constexpr int kNotTransposed = 111;
constexpr int kTransposed = 112;

using Sgemm = void(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a,
                   int lda, const float* b, int ldb, float beta, float* c, int ldc);

// Of `library`, or null with why in dlerror().
void* Find(const std::string& library, const char* symbol) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  return handle == nullptr ? nullptr : dlsym(handle, symbol);
}

template <Sgemm** sgemm>
void MultiplyBySgemm(Form form, int m, int n, int k, const float* a, const float* b, float* c) {
  const bool left = form == kLeftTransposed;
  const bool right = form == kRightTransposed;
  (*sgemm)(kRowMajor, left ? kTransposed : kNotTransposed, right ? kTransposed : kNotTransposed, m, n, k, 1, a,
           left ? m : k, b, right ? k : n, 0, c, n);
}

Sgemm* openblas = nullptr;
Sgemm* blis = nullptr;

template <Sgemm** sgemm>
absl::StatusOr<Multiply*> OfBlas(std::initializer_list<const char*> libraries, const char* package) {
  for (const char* library : libraries) {
    *sgemm = reinterpret_cast<Sgemm*>(Find(library, "cblas_sgemm"));
    if (*sgemm != nullptr) return &MultiplyBySgemm<sgemm>;
  }
  return absl::NotFoundError(absl::StrCat("install the package ", package));
}

}  // namespace

absl::StatusOr<Multiply*> EigenMultiply() {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const char* const library = v4 ? EIGEN_PRODUCTS_V4 : v3 ? EIGEN_PRODUCTS_V3 : EIGEN_PRODUCTS;
  auto* const multiply = reinterpret_cast<Multiply*>(Find(library, "PilothouseEigenMultiply"));
  if (multiply == nullptr) return absl::NotFoundError(absl::StrCat("build it again: ", dlerror()));
  return multiply;
}

absl::StatusOr<Multiply*> OpenBlasMultiply() { return OfBlas<&openblas>({"libopenblas.so.0"}, "libopenblas0-pthread"); }

absl::StatusOr<Multiply*> BlisMultiply() { return OfBlas<&blis>({"libblis.so.4", "libblis.so"}, "libblis4-pthread"); }

}  // namespace pilothouse::bench
