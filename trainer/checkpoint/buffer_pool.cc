#include "trainer/checkpoint/buffer_pool.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {

class BufferPool::Shelf {
 public:
  explicit Shelf(size_t bytes) : bytes_(bytes) {}

  std::unique_ptr<char[]> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (!buffers_.empty()) {
        std::unique_ptr<char[]> buffer = std::move(buffers_.back());
        buffers_.pop_back();
        return buffer;
      }
    }
    // Not filled with zeros: it is to be written over.
    return std::unique_ptr<char[]>(new char[bytes_]);
  }

  void GiveBack(std::unique_ptr<char[]> buffer) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    if (buffers_.size() < kMaxPooledBuffers) buffers_.push_back(std::move(buffer));
  }

 private:
  const size_t bytes_;
  Mutex mutex_;
  std::vector<std::unique_ptr<char[]>> buffers_ ABSL_GUARDED_BY(mutex_);
};

BufferPool::BufferPool(size_t bytes) : shelf_(std::make_shared<Shelf>(bytes)) {}

std::shared_ptr<char> BufferPool::Take() {
  return {shelf_->Take().release(), [shelf = std::weak_ptr<Shelf>(shelf_)](char* bytes) {
            std::unique_ptr<char[]> buffer(bytes);
            if (const std::shared_ptr<Shelf> kept = shelf.lock()) kept->GiveBack(std::move(buffer));
          }};
}

}  // namespace pilothouse::trainer
