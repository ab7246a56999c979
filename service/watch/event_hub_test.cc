#include "service/watch/event_hub.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const v1::Event> Shared(v1::Event event) { return std::make_shared<v1::Event>(std::move(event)); }

v1::Run RunAt(int64_t batch, uint64_t last_sequence = 0) {
  v1::Run run;
  run.set_run_id("digits");
  run.set_batch(batch);
  run.set_last_sequence(last_sequence);
  return run;
}

class CountingListener : public EventHub::Listener {
 public:
  void OnNews() override { ++news; }
  int news = 0;
};

TEST(EventHub, GivesItsEventsAfterASequence) {
  EventHub hub("digits");
  hub.Publish({Shared(LossEvent(1, 1)), Shared(LossEvent(2, 1))}, RunAt(2));
  hub.Publish({Shared(LossEvent(3, 1))}, RunAt(3));
  EXPECT_THAT(SequencesOf(hub.After(0, 10).events), ElementsAre(1, 2, 3));
  EXPECT_THAT(SequencesOf(hub.After(1, 1).events), ElementsAre(2));
  EXPECT_THAT(hub.After(3, 10).events, IsEmpty());
  EXPECT_EQ(hub.Run().batch(), 3);
  EXPECT_EQ(hub.Run().last_sequence(), 3u);
}

TEST(EventHub, SaysWhenARunsPastIsOnlyInTheJournal) {
  EventHub hub("digits");
  hub.SetRun(RunAt(100, 40));
  EXPECT_EQ(hub.After(0, 10).last_sequence, 40u);
  EXPECT_TRUE(hub.After(39, 10).behind_ring);
  EXPECT_FALSE(hub.After(40, 10).behind_ring);
  hub.Publish({Shared(LossEvent(41, 1))}, RunAt(101));
  EXPECT_TRUE(hub.After(39, 10).behind_ring);
  EXPECT_THAT(hub.After(39, 10).events, IsEmpty());
  EXPECT_THAT(SequencesOf(hub.After(40, 10).events), ElementsAre(41));
  EXPECT_THAT(SequencesOf(hub.RingAfter(0).events), ElementsAre(41));
}

TEST(EventHub, KeepsItsCountWhateverALaterSnapshotClaims) {
  EventHub hub("digits");
  hub.Publish({Shared(LossEvent(1, 1))}, RunAt(1));
  hub.SetRun(RunAt(9, 9));
  EXPECT_EQ(hub.Run().batch(), 9);
  EXPECT_EQ(hub.Run().last_sequence(), 1u);
  EXPECT_THAT(SequencesOf(hub.After(0, 10).events), ElementsAre(1));
}

TEST(EventHub, DropsWhatWasPublishedAndForgetsWhatLiesBeforeAHole) {
  EventHub hub("digits");
  hub.Publish({Shared(LossEvent(1, 1)), Shared(LossEvent(2, 1))}, RunAt(1));
  hub.Publish({Shared(LossEvent(2, 9)), Shared(LossEvent(3, 1))}, RunAt(1));
  EXPECT_THAT(SequencesOf(hub.After(0, 10).events), ElementsAre(1, 2, 3));
  hub.Publish({Shared(LossEvent(6, 1))}, RunAt(1));
  EXPECT_TRUE(hub.After(3, 10).behind_ring);
  EXPECT_THAT(SequencesOf(hub.After(5, 10).events), ElementsAre(6));
}

TEST(EventHub, IsBoundedInEventsAndInBytes) {
  EventHub hub("digits");
  for (uint64_t i = 1; i <= kRingEvents + 10; ++i) hub.Publish({Shared(LossEvent(i, 1))}, RunAt(1));
  EXPECT_EQ(hub.RingAfter(0).events.size(), kRingEvents);
  for (uint64_t i = 1; i <= 3; ++i) {
    hub.Publish({Shared(StateEvent(kRingEvents + 10 + i, kRingBytes / 2, true))}, RunAt(1));
  }
  EXPECT_EQ(hub.RingAfter(0).events.size(), 1u);
  hub.Publish({Shared(StateEvent(kRingEvents + 14, kRingBytes * 2, true))}, RunAt(1));
  EXPECT_EQ(hub.RingAfter(0).events.size(), 1u) << "one event is kept whatever its size";
}

TEST(EventHub, TellsItsListenersUntilTheyLeave) {
  EventHub hub("digits");
  const auto one = std::make_shared<CountingListener>();
  const auto other = std::make_shared<CountingListener>();
  hub.Subscribe(one);
  hub.Subscribe(other);
  hub.Publish({Shared(LossEvent(1, 1))}, RunAt(1));
  hub.Unsubscribe(one.get());
  hub.Unsubscribe(one.get());
  hub.SetRun(RunAt(2));
  hub.Close();
  EXPECT_EQ(one->news, 1);
  EXPECT_EQ(other->news, 2) << "a publication and the close, but no change of the snapshot";
  EXPECT_TRUE(hub.After(1, 1).closed);
  EXPECT_EQ(one.use_count(), 1);
}

TEST(EventHub, NeverShowsASnapshotOlderThanItsEvents) {
  EventHub hub("digits");
  constexpr uint64_t kEvents = 5000;
  std::thread publisher([&] {
    for (uint64_t i = 1; i <= kEvents; ++i) hub.Publish({Shared(LossEvent(i, 1))}, RunAt(static_cast<int64_t>(i)));
  });
  uint64_t last = 0;
  while (last < kEvents) {
    last = hub.After(0, 1).last_sequence;
    const v1::Run run = hub.Run();
    ASSERT_GE(run.last_sequence(), last);
    ASSERT_EQ(run.batch(), static_cast<int64_t>(run.last_sequence()));
  }
  publisher.join();
}

}  // namespace
}  // namespace pilothouse::service
