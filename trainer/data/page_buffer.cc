#include "trainer/data/page_buffer.h"

#include <sys/mman.h>

#include <new>

#include "trainer/data/address_order.h"

namespace pilothouse::trainer {
namespace {

// From this size on, pages of 2 MiB are asked for: of small ones, a GiB takes a quarter of a million faults.
constexpr int64_t kLeastHugeBytes = 16 << 20;

// Null where it cannot be had.
char* Map(int64_t bytes) {
  void* const memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // A wish: where it cannot be had, nothing is lost but time.
  if (bytes >= kLeastHugeBytes) madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  return static_cast<char*>(memory);
}

}  // namespace

PageBuffer::PageBuffer(int64_t bytes) : PageBuffer(Map(bytes), bytes) {
  if (data_ == nullptr) throw std::bad_alloc();
}

std::unique_ptr<PageBuffer> PageBuffer::TryNew(int64_t bytes) {
  char* const data = Map(bytes);
  return data == nullptr ? nullptr : std::unique_ptr<PageBuffer>(new PageBuffer(data, bytes));
}

PageBuffer::~PageBuffer() {
  if (data_ == nullptr) return;
  OrderAddresses();
  munmap(data_, static_cast<size_t>(bytes_));
}

void PageBuffer::Resize(int64_t bytes) {
  if (!TryResize(bytes)) throw std::bad_alloc();
}

bool PageBuffer::TryResize(int64_t bytes) {
  OrderAddresses();
  void* const moved = mremap(data_, static_cast<size_t>(bytes_), static_cast<size_t>(bytes), MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return false;
  OrderAddresses();
  data_ = static_cast<char*>(moved);
  bytes_ = bytes;
  return true;
}

}  // namespace pilothouse::trainer
