// Memory for as many numbers as come, straight from the system.
#ifndef PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_
#define PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_

#include <cstdint>

namespace pilothouse::trainer {

// Begins at a page's beginning. What was never written to is zero and takes no memory, only addresses; growing moves
// addresses, not bytes, so that there are never two copies. Throws std::bad_alloc. Not thread-safe.
class PageBuffer {
 public:
  // REQUIRES: bytes >= 1.
  explicit PageBuffer(int64_t bytes);
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;
  ~PageBuffer();

  char* data() { return data_; }
  const char* data() const { return data_; }
  int64_t size_bytes() const { return bytes_; }

  // Keeps what both sizes have in common; data() may change. REQUIRES: bytes >= 1.
  void Resize(int64_t bytes);

 private:
  char* data_;
  int64_t bytes_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_
