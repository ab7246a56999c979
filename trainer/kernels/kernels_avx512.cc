// Compiled for processors with AVX-512, and only called on those.
#include "trainer/kernels/kernel_sets.h"

#if defined(__x86_64__)

#include "trainer/kernels/kernel_table.h"
#include "trainer/kernels/vector_avx2.h"
#include "trainer/kernels/vector_avx512.h"

namespace pilothouse::trainer {
namespace {

constexpr Kernels<float> kFloat = MakeKernels<Float512, Float256>("avx512");
constexpr Kernels<double> kDouble = MakeKernels<Double512, Double256>("avx512");

}  // namespace

KernelSet Avx512Kernels() { return {&kFloat, &kDouble}; }

}  // namespace pilothouse::trainer

#else

pilothouse::trainer::KernelSet pilothouse::trainer::Avx512Kernels() { return {}; }

#endif
