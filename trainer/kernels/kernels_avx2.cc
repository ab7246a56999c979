// Compiled for processors with AVX2 and FMA, and only called on those.
#include "trainer/kernels/kernel_sets.h"

#if defined(__x86_64__)

#include "trainer/kernels/kernel_table.h"
#include "trainer/kernels/vector_avx2.h"

namespace pilothouse::trainer {
namespace {

constexpr Kernels<float> kFloat = MakeKernels<Float256>("avx2");
constexpr Kernels<double> kDouble = MakeKernels<Double256>("avx2");

}  // namespace

KernelSet Avx2Kernels() { return {&kFloat, &kDouble}; }

}  // namespace pilothouse::trainer

#else

pilothouse::trainer::KernelSet pilothouse::trainer::Avx2Kernels() { return {}; }

#endif
