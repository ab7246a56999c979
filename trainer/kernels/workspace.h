// Where a product keeps the blocks that it copies.
#ifndef PILOTHOUSE_TRAINER_KERNELS_WORKSPACE_H_
#define PILOTHOUSE_TRAINER_KERNELS_WORKSPACE_H_

#include <cstddef>
#include <memory>
#include <new>

#include "trainer/kernels/kernels.h"

namespace pilothouse::trainer {

// For one product at a time. Its memory is taken from the system when a product first needs it.
template <typename T>
class Workspace {
 public:
  Workspace() : elements_(static_cast<T*>(::operator new(kBytes, kAlignment))) {}

  T* data() const { return elements_.get(); }

 private:
  static constexpr size_t kBytes = static_cast<size_t>(kWorkspaceElements) * sizeof(T);
  static constexpr std::align_val_t kAlignment{kWorkspaceAlignment};

  struct Delete {
    void operator()(T* elements) const { ::operator delete(elements, kBytes, kAlignment); }
  };

  std::unique_ptr<T, Delete> elements_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_KERNELS_WORKSPACE_H_
