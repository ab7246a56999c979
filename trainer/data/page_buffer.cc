#include "trainer/data/page_buffer.h"

#include <sys/mman.h>

#include <new>

namespace pilothouse::trainer {
namespace {

// From this size on, pages of 2 MiB are asked for: of small ones, a GiB takes a quarter of a million faults.
constexpr int64_t kLeastHugeBytes = 16 << 20;

char* Checked(void* memory) {
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

}  // namespace

PageBuffer::PageBuffer(int64_t bytes)
    : data_(Checked(mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))),
      bytes_(bytes) {
  // A wish: where it cannot be had, nothing is lost but time.
  if (bytes >= kLeastHugeBytes) madvise(data_, static_cast<size_t>(bytes), MADV_HUGEPAGE);
}

PageBuffer::~PageBuffer() { munmap(data_, static_cast<size_t>(bytes_)); }

void PageBuffer::Resize(int64_t bytes) {
  data_ = Checked(mremap(data_, static_cast<size_t>(bytes_), static_cast<size_t>(bytes), MREMAP_MAYMOVE));
  bytes_ = bytes;
}

}  // namespace pilothouse::trainer
