#include "trainer/data/page_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace pilothouse::trainer {
namespace {

TEST(PageBuffer, KeepsItsBytesWhileItGrowsAndShrinks) {
  PageBuffer buffer(10);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 4096, 0U);
  for (int i = 0; i < 10; ++i) buffer.data()[i] = static_cast<char>(i);
  buffer.Resize(64 << 20);
  EXPECT_EQ(buffer.size_bytes(), 64 << 20);
  EXPECT_EQ(buffer.data()[10], 0);
  buffer.data()[(64 << 20) - 1] = 1;
  buffer.Resize(5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(buffer.data()[i], i);
}

TEST(PageBuffer, ThrowsWhereThereAreNotSoManyAddresses) {
  EXPECT_THROW(PageBuffer(INT64_MAX), std::bad_alloc);
  PageBuffer buffer(1);
  EXPECT_THROW(buffer.Resize(INT64_MAX), std::bad_alloc);
  buffer.data()[0] = 1;
}

TEST(PageBuffer, SaysWhetherThereAreSoManyAddresses) {
  EXPECT_EQ(PageBuffer::TryNew(INT64_MAX), nullptr);
  const std::unique_ptr<PageBuffer> buffer = PageBuffer::TryNew(10);
  ASSERT_NE(buffer, nullptr);
  buffer->data()[9] = 1;
  EXPECT_FALSE(buffer->TryResize(INT64_MAX));
  EXPECT_EQ(buffer->size_bytes(), 10);
  EXPECT_TRUE(buffer->TryResize(1 << 20));
  EXPECT_EQ(buffer->size_bytes(), 1 << 20);
  EXPECT_EQ(buffer->data()[9], 1);
  buffer->data()[(1 << 20) - 1] = 1;
}

// For ThreadSanitizer: addresses that one buffer leaves are soon another's.
TEST(PageBuffer, ThreadsHaveTheirOwnAtTheSameTime) {
  std::vector<std::thread> threads;
  for (char mark = 1; mark <= 4; ++mark) {
    threads.emplace_back([mark] {
      for (int round = 0; round < 50; ++round) {
        PageBuffer buffer(1);
        for (int64_t bytes = 4096; bytes <= 1 << 20; bytes *= 2) {
          buffer.Resize(bytes);
          for (int64_t at = bytes / 2; at < bytes; at += 512) buffer.data()[at] = mark;
        }
        for (int64_t at = 2048; at < buffer.size_bytes(); at += 512) ASSERT_EQ(buffer.data()[at], mark);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pilothouse::trainer
