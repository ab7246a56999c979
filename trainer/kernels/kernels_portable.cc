// Compiled for any processor.
#include "trainer/kernels/kernel_table.h"
#include "trainer/kernels/vector_portable.h"

namespace pilothouse::trainer {
namespace {

constexpr Kernels<float> kFloat = MakeKernels<FourNumbers<float>>("portable");
constexpr Kernels<double> kDouble = MakeKernels<FourNumbers<double>>("portable");

}  // namespace

KernelSet PortableKernels() { return {&kFloat, &kDouble}; }

}  // namespace pilothouse::trainer
