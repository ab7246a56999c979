#include "trainer/checkpoint/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace pilothouse::trainer {
namespace {

constexpr size_t kBytes = 100;

TEST(BufferPool, GivesOutAgainWhatCameBackAndNothingThatIsInUse) {
  BufferPool pool(kBytes);
  std::shared_ptr<char> first = pool.Take();
  std::shared_ptr<char> second = pool.Take();
  EXPECT_NE(first, second);
  std::memset(first.get(), 1, kBytes);
  std::memset(second.get(), 2, kBytes);
  EXPECT_EQ(first.get()[kBytes - 1], 1);
  const char* place = first.get();
  const std::shared_ptr<char> other_owner = first;
  first.reset();
  EXPECT_NE(pool.Take().get(), place) << "it still has an owner";
  second.reset();
}

TEST(BufferPool, KeepsTheBuffersThatCameBack) {
  BufferPool pool(kBytes);
  std::vector<std::shared_ptr<char>> in_use;
  for (size_t i = 0; i < kMaxPooledBuffers; ++i) in_use.push_back(pool.Take());
  std::set<char*> places;
  for (const std::shared_ptr<char>& buffer : in_use) places.insert(buffer.get());
  std::thread([&] { in_use.clear(); }).join();
  for (size_t i = 0; i < kMaxPooledBuffers; ++i) in_use.push_back(pool.Take());
  for (const std::shared_ptr<char>& buffer : in_use) EXPECT_EQ(places.count(buffer.get()), 1U);
}

TEST(BufferPool, ABufferOutlivesItsPool) {
  std::shared_ptr<char> buffer;
  {
    BufferPool pool(kBytes);
    buffer = pool.Take();
  }
  std::memset(buffer.get(), 7, kBytes);
  EXPECT_EQ(buffer.get()[kBytes - 1], 7);
}

}  // namespace
}  // namespace pilothouse::trainer
