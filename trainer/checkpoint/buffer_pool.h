// Memory for copies of the parameters, used again: the system takes ten times as long to give fresh memory as the copy
// takes.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_BUFFER_POOL_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_BUFFER_POOL_H_

#include <cstddef>
#include <memory>

namespace pilothouse::trainer {

// Buffers that were given back and are kept for the next copy: one that is being written, and one that waits.
inline constexpr size_t kMaxPooledBuffers = 2;

// Thread-safe.
class BufferPool {
 public:
  // All buffers have this size, in bytes.
  explicit BufferPool(size_t bytes);

  // A buffer with anything in it, aligned for every type. It comes back when its last owner goes, in whatever thread;
  // the pool may be gone by then.
  std::shared_ptr<char> Take();

 private:
  class Shelf;
  const std::shared_ptr<Shelf> shelf_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_BUFFER_POOL_H_
