// Memory for as many numbers as come, straight from the system.
#ifndef PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_
#define PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_

#include <cstdint>
#include <memory>

namespace pilothouse::trainer {

// Begins at a page's beginning. What was never written to is zero and takes no memory, only addresses; growing moves
// addresses, not bytes, so that there are never two copies. What has no Try in its name throws std::bad_alloc where the
// system has not so many addresses for this process. Not thread-safe.
class PageBuffer {
 public:
  // Null instead of throwing. REQUIRES: bytes >= 1.
  static std::unique_ptr<PageBuffer> TryNew(int64_t bytes);

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

  // As Resize(), but returns false, with everything as it was, instead of throwing.
  bool TryResize(int64_t bytes);

 private:
  // Takes over what was mapped.
  PageBuffer(char* data, int64_t bytes) : data_(data), bytes_(bytes) {}

  char* data_;
  int64_t bytes_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PAGE_BUFFER_H_
