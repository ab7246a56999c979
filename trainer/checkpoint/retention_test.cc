#include "trainer/checkpoint/retention.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace pilothouse::trainer {
namespace {

KeptCheckpoint At(int64_t batch, std::optional<double> validation_loss = std::nullopt) {
  return {batch, false, true, validation_loss};
}

KeptCheckpoint Pinned(int64_t batch) { return {batch, true, true, std::nullopt}; }

KeptCheckpoint Unrecorded(int64_t batch) { return {batch, false, false, std::nullopt}; }

// The batches that are kept.
std::vector<int64_t> Kept(const CheckpointRetention& retention, const std::vector<KeptCheckpoint>& checkpoints) {
  const std::vector<size_t> gone = NotNeeded(retention, checkpoints);
  std::vector<int64_t> batches;
  size_t next = 0;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (next < gone.size() && gone[next] == i) {
      ++next;
    } else {
      batches.push_back(checkpoints[i].batch);
    }
  }
  EXPECT_EQ(next, gone.size()) << "in rising order";
  return batches;
}

using Batches = std::vector<int64_t>;

TEST(Retention, TheNewestAreKept) {
  const CheckpointRetention two{2, 0, false};
  EXPECT_EQ(Kept(two, {}), Batches{});
  EXPECT_EQ(Kept(two, {At(10), At(20)}), (Batches{10, 20}));
  EXPECT_EQ(Kept(two, {At(10), At(20), At(30), At(40)}), (Batches{30, 40}));
  EXPECT_EQ(Kept(two, {At(30), At(40), At(10)}), (Batches{40, 10}))
      << "by when they were written: the run was taken back";
  EXPECT_EQ(Kept({0, 0, false}, {At(10), At(20)}), Batches{20}) << "the newest in any case";
}

TEST(Retention, EveryNthIsKept) {
  EXPECT_EQ(Kept({1, 100, false}, {At(0), At(50), At(100), At(150), At(200), At(250), At(260)}),
            (Batches{0, 100, 200, 260}));
}

TEST(Retention, TheBestIsKeptAndOfEqualsTheFirst) {
  const CheckpointRetention best{1, 0, true};
  EXPECT_EQ(Kept(best, {At(1, .5), At(2, .3), At(3, .4), At(4, .6)}), (Batches{2, 4}));
  EXPECT_EQ(Kept(best, {At(1, .3), At(2, .3), At(3, .4)}), (Batches{1, 3}));
  EXPECT_EQ(Kept(best, {At(1), At(2, .3), At(3)}), (Batches{2, 3}));
  EXPECT_EQ(Kept({1, 0, false}, {At(1, .3), At(2, .5)}), Batches{2}) << "unless it is not wanted";
}

TEST(Retention, ALossThatIsNotFiniteIsNeverTheBest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const CheckpointRetention best{1, 0, true};
  EXPECT_EQ(Kept(best, {At(1, nan), At(2, .2), At(3, nan), At(4)}), (Batches{2, 4}));
  EXPECT_EQ(Kept(best, {At(1, -infinity), At(2, .2), At(3)}), (Batches{2, 3}));
  EXPECT_EQ(Kept(best, {At(1, nan), At(2)}), Batches{2});
}

TEST(Retention, ThosePinnedAreKeptAndDoNotTakeThePlaceOfTheBest) {
  EXPECT_EQ(Kept({1, 0, true}, {Pinned(5), At(10, .1), Pinned(15), At(20), At(30)}), (Batches{5, 10, 15, 30}));
  KeptCheckpoint pinned = Unrecorded(1);
  pinned.pinned = true;
  EXPECT_EQ(Kept({1, 0, false}, {pinned, Unrecorded(2), Unrecorded(3), Unrecorded(4)}), (Batches{1, 3, 4}));
}

TEST(Retention, WhatIsNotRecordedDoesNotCountAndIsBoundedByItself) {
  EXPECT_EQ(Kept({2, 0, false}, {At(10), At(20), At(30), Unrecorded(40), Unrecorded(50), Unrecorded(60)}),
            (Batches{20, 30, 50, 60}))
      << "the newest that is recorded is where the run goes on";
  KeptCheckpoint best = Unrecorded(50);
  best.validation_loss = .1;
  EXPECT_EQ(Kept({1, 50, true}, {At(10, .2), best, Unrecorded(60), Unrecorded(70)}), (Batches{10, 60, 70}));
}

KeptCheckpoint Announced(int64_t batch) { return {batch, false, false, std::nullopt, true}; }

// A run whose service has gone may make checkpoints faster than it can note them: what is noted is what another trainer
// can go on from.
TEST(Retention, TheNewestThatIsAnnouncedIsKeptWhateverComesAfterIt) {
  EXPECT_EQ(Kept({1, 0, false}, {At(10), Announced(20), Announced(30), Unrecorded(40), Unrecorded(50), Unrecorded(60)}),
            (Batches{10, 30, 50, 60}));
  EXPECT_EQ(Kept({1, 0, false}, {At(10), Announced(20), Announced(30), Unrecorded(40)}), (Batches{10, 30, 40}));
  KeptCheckpoint both = At(20);
  both.announced = true;
  EXPECT_EQ(Kept({1, 0, false}, {At(10), both, At(30)}), Batches{30}) << "once it is recorded that is what counts";
}

}  // namespace
}  // namespace pilothouse::trainer
