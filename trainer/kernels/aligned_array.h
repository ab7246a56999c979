// Memory that begins where vectors are best read from.
#ifndef PILOTHOUSE_TRAINER_KERNELS_ALIGNED_ARRAY_H_
#define PILOTHOUSE_TRAINER_KERNELS_ALIGNED_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {

// So many numbers, not set to anything: the system gives memory for large arrays only where it is written to. T is
// float or double.
template <typename T>
class AlignedArray {
 public:
  explicit AlignedArray(int64_t elements)
      : elements_(static_cast<T*>(::operator new(static_cast<size_t>(elements) * sizeof(T), kAlignment))) {}

  T* data() const { return elements_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{kWorkspaceAlignment};

  struct Delete {
    void operator()(T* elements) const { ::operator delete(elements, kAlignment); }
  };

  std::unique_ptr<T, Delete> elements_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_ALIGNED_ARRAY_H_
