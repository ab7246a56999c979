// The reactor with a real server: what the transport and its threads make of a watch.
#include "service/watch/watch_reactor.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"
#include "service/watch/watch_options.h"

namespace pilothouse::service {
namespace {

using Reader = grpc::ClientReader<v1::WatchTrainingResponse>;
using testing::ElementsAre;
using testing::IsEmpty;

// Stands still unless it is pushed or let run: by it no event grows old, however slow the machine is, and so no watcher
// is brought to now.
class TestClock {
 public:
  // To be called before others ask for the time.
  void LetRun() { runs_ = true; }
  void Push(std::chrono::seconds by) { pushed_ += by.count(); }
  SteadyTime Now() const {
    return (runs_ ? std::chrono::steady_clock::now() : begin_) + std::chrono::seconds(pushed_.load());
  }

 private:
  const SteadyTime begin_ = std::chrono::steady_clock::now();
  std::atomic<bool> runs_{false};
  std::atomic<int64_t> pushed_{0};
};

class WatchService : public v1::TrainingControl::CallbackService {
 public:
  WatchService(std::string path, WatchRegistry& registry, WorkPool& pool)
      : path_(std::move(path)), registry_(registry), pool_(pool) {}

  void SetHub(std::shared_ptr<EventHub> hub) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    hub_ = std::move(hub);
  }

  WatchWriteReactor* WatchTraining(grpc::CallbackServerContext* /*context*/,
                                   const v1::WatchTrainingRequest* request) override {
    return StartWatch(*request, Hub(), path_, registry_, pool_);
  }

 private:
  std::shared_ptr<EventHub> Hub() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return hub_;
  }

  const std::string path_;
  WatchRegistry& registry_;
  WorkPool& pool_;
  Mutex mutex_;
  std::shared_ptr<EventHub> hub_ ABSL_GUARDED_BY(mutex_);
};

// A watch as a client sees it.
struct ClientWatch {
  ClientWatch(v1::TrainingControl::Stub& stub, const v1::WatchTrainingRequest& request)
      : reader(stub.WatchTraining(&context, request)) {}

  // Reads to the end.
  grpc::Status Finish() {
    while (Read()) {
    }
    return reader->Finish();
  }
  bool Read() {
    v1::WatchTrainingResponse message;
    if (!reader->Read(&message)) return false;
    snapshots += message.has_snapshot();
    heartbeats += message.has_heartbeat();
    for (const v1::Event& event : message.events()) sequences.push_back(event.sequence());
    for (const v1::Gap& gap : message.gaps()) gaps.push_back(gap);
    return true;
  }

  grpc::ClientContext context;
  const std::unique_ptr<Reader> reader;
  int snapshots = 0;
  int heartbeats = 0;
  std::vector<uint64_t> sequences;
  std::vector<v1::Gap> gaps;
};

constexpr int kPoolThreads = 2;

class WatchReactorTest : public testing::Test {
 protected:
  explicit WatchReactorTest(size_t max_watchers = 100)
      : path_(directory_.File(kJournalFile)),
        journal_(*Journal::Create(path_, AnyRun())),
        registry_(max_watchers, [this] { return clock_.Now(); }),
        service_(path_, registry_, pool_) {
    NewHub();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(Address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = NewStub();
  }

  ~WatchReactorTest() override {
    registry_.FinishAll();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    registry_.AwaitNone();
    pool_.Shutdown();
  }

  std::string Address() const { return "unix:" + directory_.File("socket"); }

  // A client that narrows its window, as a watcher should: otherwise the transport takes in tens of thousands of events
  // for a reader that has stopped.
  std::unique_ptr<v1::TrainingControl::Stub> NewStub() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt("grpc.http2.bdp_probe", 0);
    arguments.SetInt("grpc.http2.lookahead_bytes", 4096);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::TrainingControl::NewStub(
        grpc::CreateCustomChannel(Address(), grpc::InsecureChannelCredentials(), arguments));
  }

  // As after a restart of the service.
  void NewHub() {
    hub_ = std::make_shared<EventHub>("digits", [this] { return clock_.Now(); });
    hub_->SetRun(*journal_->LoadRun());
    service_.SetHub(hub_);
  }

  // Journals and publishes losses up to sequence `last`.
  void PublishTo(uint64_t last) {
    std::vector<JournalEntry> entries;
    std::vector<std::shared_ptr<const v1::Event>> events;
    for (uint64_t i = journal_->last_sequence() + 1; i <= last; ++i) {
      entries.push_back({LossEvent(i, 1), i});
      events.push_back(std::make_shared<v1::Event>(LossEvent(i, 1)));
    }
    ASSERT_TRUE(journal_->Append(entries, Durability::kUnsynced).ok());
    run_.set_batch(static_cast<int64_t>(last));
    hub_->Publish(std::move(events), run_);
  }

  static v1::WatchTrainingRequest After(uint64_t sequence) {
    v1::WatchTrainingRequest request = EveryLoss();
    request.set_after_sequence(sequence);
    return request;
  }
  // Without heartbeats, whose timers would ring without end while the clock stands still.
  static v1::WatchTrainingRequest EveryLoss() {
    v1::WatchTrainingRequest request;
    request.mutable_min_interval();
    request.mutable_max_interval()->set_seconds(absl::ToInt64Seconds(kLongestInterval));
    return request;
  }
  static std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
    std::vector<uint64_t> range;
    for (uint64_t i = first; i <= last; ++i) range.push_back(i);
    return range;
  }

  TestClock clock_;
  TemporaryDirectory directory_;
  const std::string path_;
  std::unique_ptr<Journal> journal_;
  v1::Run run_ = *journal_->LoadRun();
  std::shared_ptr<EventHub> hub_;
  WatchRegistry registry_;
  WorkPool pool_{kPoolThreads, 100};
  WatchService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::TrainingControl::Stub> stub_;
};

TEST_F(WatchReactorTest, SendsASnapshotThenWhatHappensThenOkAtTheEndOfTheRun) {
  ClientWatch watch(*stub_, EveryLoss());
  ASSERT_TRUE(watch.Read());
  EXPECT_EQ(watch.snapshots, 1);
  for (uint64_t i = 1; i <= 300; ++i) PublishTo(i);
  hub_->Close();
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(watch.sequences, Range(1, 300));
  EXPECT_EQ(watch.snapshots, 1);
}

TEST_F(WatchReactorTest, ContinuesFromTheJournalIntoWhatHappensNow) {
  PublishTo(3000);
  PublishTo(9000);
  ClientWatch watch(*stub_, After(1234));
  ASSERT_TRUE(watch.Read());
  PublishTo(9500);
  hub_->Close();
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(watch.sequences, Range(1235, 9500));
  EXPECT_THAT(watch.gaps, IsEmpty());
}

TEST_F(WatchReactorTest, ReadsARunThatHasEnded) {
  PublishTo(2000);
  NewHub();
  hub_->Close();
  journal_.reset();
  ClientWatch watch(*stub_, After(0));
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(watch.sequences, Range(1, 2000));
}

TEST_F(WatchReactorTest, BreaksSilenceWithHeartbeats) {
  clock_.LetRun();
  v1::WatchTrainingRequest request;
  request.mutable_max_interval()->set_nanos(100'000'000);
  ClientWatch watch(*stub_, request);
  while (watch.heartbeats < 3) ASSERT_TRUE(watch.Read());
  watch.context.TryCancel();
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(WatchReactorTest, LetsAStoppedReaderHoldUpNeitherTheRunNorAnotherWatcher) {
  constexpr uint64_t kEvents = 40'000;
  const auto other_stub = NewStub();
  ClientWatch stopped(*stub_, EveryLoss());
  ClientWatch other(*other_stub, EveryLoss());
  ASSERT_TRUE(stopped.Read());
  ASSERT_TRUE(other.Read());
  for (uint64_t last = 200; last <= kEvents; last += 200) {
    PublishTo(last);
    // The other keeps up, whatever else the machine does: it is never further behind than the ring reaches.
    while (other.sequences.empty() || other.sequences.back() < last) ASSERT_TRUE(other.Read());
  }
  EXPECT_EQ(other.sequences, Range(1, kEvents));

  clock_.Push(std::chrono::seconds(60));
  hub_->Close();
  EXPECT_TRUE(stopped.Finish().ok());
  ASSERT_THAT(stopped.gaps, testing::Not(IsEmpty()));
  EXPECT_LT(stopped.sequences.size(), kEvents / 2) << "the transport took in too much for a reader that had stopped";
  EXPECT_EQ(stopped.sequences.back(), kEvents);
  std::vector<uint64_t> told = stopped.sequences;
  for (const v1::Gap& gap : stopped.gaps) {
    for (uint64_t i = gap.first(); i <= gap.last(); ++i) told.push_back(i);
  }
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, Range(1, kEvents));
}

TEST_F(WatchReactorTest, OutlivesWatchersThatCancelWhileTheRunPublishesAndEnds) {
  for (int round = 0; round < 60; ++round) {
    NewHub();
    const uint64_t begin = journal_->last_sequence();
    std::vector<std::unique_ptr<ClientWatch>> watches;
    for (int i = 0; i < 4; ++i) watches.push_back(std::make_unique<ClientWatch>(*stub_, After(begin / 2)));
    if (round % 2 == 0) {
      ASSERT_TRUE(watches[0]->Read());
    }
    std::thread run([&] {
      for (uint64_t i = 1; i <= 20; ++i) PublishTo(begin + 10 * i);
      hub_->Close();
    });
    std::thread canceller([&] {
      for (const auto& watch : watches) watch->context.TryCancel();
    });
    for (const auto& watch : watches) {
      const grpc::StatusCode code = watch->Finish().error_code();
      EXPECT_TRUE(code == grpc::StatusCode::CANCELLED || code == grpc::StatusCode::OK) << code;
    }
    run.join();
    canceller.join();
    registry_.AwaitNone();
    // Only the service holds the hub beside us, once the last reactor has gone; a reactor goes a little after it has
    // left the registry.
    while (hub_.use_count() > 2) std::this_thread::yield();
  }
}

TEST_F(WatchReactorTest, ForgetsAClientThatVanishesWhileAWriteWaitsForIt) {
  auto stub = NewStub();
  auto watch = std::make_unique<ClientWatch>(*stub, EveryLoss());
  ASSERT_TRUE(watch->Read());
  for (uint64_t last = 500; last <= 40'000; last += 500) PublishTo(last);
  EXPECT_EQ(registry_.size(), 1u);
  watch->context.TryCancel();
  watch.reset();
  stub.reset();
  registry_.AwaitNone();
  PublishTo(40'001);
}

TEST_F(WatchReactorTest, FinishesOpenWatchesAtShutdown) {
  ClientWatch idle(*stub_, EveryLoss());
  ClientWatch stopped(*stub_, EveryLoss());
  ASSERT_TRUE(idle.Read());
  ASSERT_TRUE(stopped.Read());
  registry_.FinishAll();
  EXPECT_EQ(ReasonOf(FromGrpcStatus(idle.Finish())), v1::ERROR_REASON_SERVICE_STOPPING);
  ClientWatch late(*stub_, EveryLoss());
  EXPECT_EQ(ReasonOf(FromGrpcStatus(late.Finish())), v1::ERROR_REASON_SERVICE_STOPPING);
  for (uint64_t last = 500; last <= 40'000; last += 500) PublishTo(last);
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  registry_.AwaitNone();
  EXPECT_EQ(stopped.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WatchReactorTest, EndsAWatchWhoseWriteIsStuckAtShutdown) {
  ClientWatch stuck(*stub_, EveryLoss());
  ASSERT_TRUE(stuck.Read());
  for (uint64_t last = 500; last <= 40'000; last += 500) PublishTo(last);
  registry_.FinishAll();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  registry_.AwaitNone();
  EXPECT_FALSE(stuck.Finish().ok());
}

TEST_F(WatchReactorTest, RefusesBadRequestsWithReasonAndField) {
  v1::WatchTrainingRequest hasty;
  hasty.mutable_max_interval()->set_nanos(1);
  const absl::Status interval = FromGrpcStatus(ClientWatch(*stub_, hasty).Finish());
  EXPECT_EQ(ReasonOf(interval), v1::ERROR_REASON_INTERVAL_INVALID);
  EXPECT_EQ(ToError(interval).field(), "max_interval");
  const absl::Status sequence = FromGrpcStatus(ClientWatch(*stub_, After(1)).Finish());
  EXPECT_EQ(ReasonOf(sequence), v1::ERROR_REASON_SEQUENCE_OUT_OF_RANGE);
}

TEST_F(WatchReactorTest, SaysThatTheJournalCannotBeRead) {
  PublishTo(5000);
  journal_.reset();
  std::filesystem::remove(path_);
  ClientWatch watch(*stub_, After(0));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(watch.Finish())), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(WatchReactorTest, TriesAgainWhenThePoolHasNoRoomForAPage) {
  clock_.LetRun();
  PublishTo(5000);
  absl::Notification go_on;
  absl::BlockingCounter busy(kPoolThreads);
  for (int i = 0; i < kPoolThreads; ++i) {
    ASSERT_TRUE(pool_.Submit([&] { busy.DecrementCount(), go_on.WaitForNotification(); }));
  }
  busy.Wait();
  while (pool_.Submit([] {})) {
  }
  v1::WatchTrainingRequest request = After(0);
  request.mutable_max_interval()->set_seconds(1);
  ClientWatch watch(*stub_, request);
  ASSERT_TRUE(watch.Read());
  ASSERT_TRUE(watch.Read()) << "a heartbeat, since no page can be read";
  EXPECT_GE(watch.heartbeats, 1);
  go_on.Notify();
  hub_->Close();
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(watch.sequences, Range(1, 5000));
}

class CrowdedTest : public WatchReactorTest {
 protected:
  CrowdedTest() : WatchReactorTest(1) {}
};

TEST_F(CrowdedTest, AllowsAsManyWatchersAsItIsTold) {
  ClientWatch first(*stub_, EveryLoss());
  ASSERT_TRUE(first.Read());
  EXPECT_EQ(ReasonOf(FromGrpcStatus(ClientWatch(*stub_, EveryLoss()).Finish())), v1::ERROR_REASON_TOO_MANY_WATCHERS);
  first.context.TryCancel();
  first.Finish();
  registry_.AwaitNone();
  EXPECT_TRUE(ClientWatch(*stub_, EveryLoss()).Read());
}

}  // namespace
}  // namespace pilothouse::service
