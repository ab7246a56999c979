#include "service/rpc/upload_slots.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>

namespace pilothouse::service {
namespace {

using std::chrono::seconds;

TEST(UploadSlots, AreBoundedAndAnIdleUploadGivesWay) {
  UploadSlots slots;
  std::array<int, kMaxUploads + 2> uploads{};
  const UploadSlots::Time now = std::chrono::steady_clock::now();
  int ended = 0;
  for (size_t i = 0; i < kMaxUploads; ++i) {
    ASSERT_TRUE(slots.Enter(
        &uploads[i], [&ended, i] { ended += i == 1 ? 1 : 100; }, now));
  }
  EXPECT_FALSE(slots.Enter(
      &uploads[kMaxUploads], [] {}, now + kUploadIdleTime - seconds(1)));
  for (size_t i = 0; i < kMaxUploads; ++i) {
    if (i != 1) slots.Touch(&uploads[i], now + seconds(10));
  }
  EXPECT_TRUE(slots.Enter(
      &uploads[kMaxUploads], [] {}, now + kUploadIdleTime));
  EXPECT_EQ(ended, 1) << "the one that was idle";
  EXPECT_FALSE(slots.Enter(
      &uploads[kMaxUploads + 1], [] {}, now + kUploadIdleTime));
  slots.Leave(&uploads[0]);
  EXPECT_TRUE(slots.Enter(
      &uploads[kMaxUploads + 1], [] {}, now + kUploadIdleTime));
}

}  // namespace
}  // namespace pilothouse::service
