// The kernels that were compiled, whatever this processor is. Null where the compiler's processors have no such
// vectors.
#ifndef PILOTHOUSE_TRAINER_KERNELS_KERNEL_SETS_H_
#define PILOTHOUSE_TRAINER_KERNELS_KERNEL_SETS_H_

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {

struct KernelSet {
  const Kernels<float>* of_float;
  const Kernels<double>* of_double;
};

KernelSet Avx512Kernels();
KernelSet Avx2Kernels();
KernelSet PortableKernels();

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_KERNEL_SETS_H_
