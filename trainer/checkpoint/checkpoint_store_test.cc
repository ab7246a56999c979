#include "trainer/checkpoint/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/support/error.h"
#include "proto/support/mutex.h"
#include "tests/support/eventually.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

class CheckpointStoreTest : public ::testing::Test {
 protected:
  CheckpointStoreTest() { fs::create_directories(directory_); }
  ~CheckpointStoreTest() override {
    store_.reset();
    fs::permissions(directory_, fs::perms::owner_all);
    fs::remove_all(directory_);
  }

  void Begin(CheckpointRetention retention = {}, std::vector<RecordedCheckpoint> recorded = {}) {
    store_.reset();
    store_ = std::make_unique<CheckpointStore>(directory_, retention, std::move(recorded),
                                               [this](CheckpointOutcome outcome) {
                                                 const MutexLock lock(mutex_);
                                                 outcomes_.push_back(std::move(outcome));
                                                 changed_.NotifyAll();
                                               });
  }

  static CheckpointRequest At(int64_t batch, std::optional<double> validation_loss = std::nullopt) {
    CheckpointRequest request;
    request.facts.batch = batch;
    request.facts.controls = batch / 10;
    request.facts.request_id = absl::StrCat("request-", batch);
    request.facts.validation_loss = validation_loss;
    request.state.tensors["layers.0.weight"] = TensorOf(absl::StrCat("of batch ", batch));
    request.state.texts["loop"] = "{}";
    request.state_hash = [state = request.state] { return HashOfTensors(state); };
    return request;
  }

  // Waits for the next outcome, in order.
  CheckpointOutcome NextOutcome() {
    const MutexLock lock(mutex_);
    while (outcomes_.size() <= taken_) changed_.Wait(mutex_);
    return outcomes_[taken_++];
  }
  CheckpointOutcome Write(CheckpointRequest request) {
    EXPECT_TRUE(store_->Submit(std::move(request)));
    return NextOutcome();
  }

  // The files in the folder of checkpoints.
  std::set<std::string> Files() const {
    std::set<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_ + "/" + kCheckpointFolder, error)) {
      names.insert(entry.path().filename());
    }
    return names;
  }
  // Removing takes place on the store's thread, which tells nobody.
  bool FilesBecome(const std::set<std::string>& files) const {
    return pilothouse::testing::Eventually([&] { return Files() == files; });
  }

  static std::string Name(int64_t batch) {
    std::string digits = absl::StrCat(batch);
    return absl::StrCat("batch-", std::string(12 - digits.size(), '0'), digits, ".safetensors");
  }
  static RecordedCheckpoint Recorded(const CheckpointOutcome& outcome) {
    return {outcome.facts, outcome.file, outcome.sha256};
  }
  std::string PathOf(const CheckpointOutcome& outcome) const { return directory_ + "/" + outcome.file; }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/checkpoint-store-", getpid());
  Mutex mutex_;
  CondVar changed_;
  std::vector<CheckpointOutcome> outcomes_;
  size_t taken_ = 0;
  std::unique_ptr<CheckpointStore> store_;
};

TEST_F(CheckpointStoreTest, WritesWhatCanBeReadAgain) {
  Begin();
  CheckpointRequest request = At(50, 0.25);
  request.facts.pinned = true;
  request.facts.line = 2;
  request.facts.held_up = std::chrono::nanoseconds(7);
  const CheckpointOutcome outcome = Write(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.file, "checkpoints/batch-000000000050.safetensors");
  EXPECT_EQ(outcome.facts.batch, 50);
  EXPECT_EQ(outcome.facts.controls, 5);
  EXPECT_EQ(outcome.facts.line, 2);
  EXPECT_TRUE(outcome.facts.pinned);
  EXPECT_EQ(outcome.facts.request_id, "request-50");
  EXPECT_EQ(outcome.facts.validation_loss, 0.25);
  EXPECT_EQ(outcome.facts.held_up, std::chrono::nanoseconds(7));
  EXPECT_EQ(outcome.bytes, static_cast<int64_t>(fs::file_size(PathOf(outcome))));
  EXPECT_EQ(outcome.sha256, *FileHash(PathOf(outcome)));
  EXPECT_EQ(outcome.state_sha256, HashOfTensors(request.state));
  const absl::StatusOr<SavedState> read = ReadCheckpoint(PathOf(outcome), outcome.sha256);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(HashOfTensors(*read), HashOfTensors(request.state));
  EXPECT_EQ(read->texts.at("loop"), "{}");
  EXPECT_EQ(read->texts.at("batch"), "50") << "so that it can be taken for a file of parameters";
}

TEST_F(CheckpointStoreTest, NoNameIsUsedTwice) {
  Begin({1, 0, false});
  EXPECT_EQ(Write(At(50)).file, "checkpoints/batch-000000000050.safetensors");
  EXPECT_EQ(Write(At(50)).file, "checkpoints/batch-000000000050-2.safetensors");
  const CheckpointOutcome third = Write(At(50));
  EXPECT_EQ(third.file, "checkpoints/batch-000000000050-3.safetensors");
  store_->Recorded(3);
  ASSERT_TRUE(FilesBecome({"batch-000000000050-3.safetensors"}));
  EXPECT_EQ(Write(At(50)).file, "checkpoints/batch-000000000050-4.safetensors") << "the journal knows the removed ones";
  RecordedCheckpoint removed = Recorded(third);
  removed.file = "checkpoints/batch-000000000060.safetensors";
  Begin({1, 0, false}, {removed});
  EXPECT_EQ(Write(At(60)).file, "checkpoints/batch-000000000060-2.safetensors");
}

TEST_F(CheckpointStoreTest, TakesNoMoreThanMayWaitAndNeverHoldsUpWhoeverSubmits) {
  Begin();
  std::promise<void> begun;
  std::promise<void> go_on;
  CheckpointRequest slow = At(1);
  slow.state_hash = [&] {
    begun.set_value();
    go_on.get_future().wait();
    return std::string("hash");
  };
  EXPECT_TRUE(store_->Submit(std::move(slow)));
  begun.get_future().wait();
  EXPECT_TRUE(store_->CanTake());
  for (int i = 0; i < kMaxWaitingCheckpoints; ++i) EXPECT_TRUE(store_->Submit(At(2 + i)));
  EXPECT_FALSE(store_->CanTake());
  EXPECT_FALSE(store_->Submit(At(100)));
  store_->Recorded(0);
  go_on.set_value();
  EXPECT_EQ(NextOutcome().state_sha256, "hash");
  EXPECT_EQ(NextOutcome().facts.batch, 2);
  EXPECT_TRUE(store_->Submit(At(3)));
  EXPECT_EQ(NextOutcome().facts.batch, 3);
  EXPECT_EQ(Files().count(Name(100)), 0U);
}

TEST_F(CheckpointStoreTest, WhatIsWrittenAtOnceComesAfterWhatWasSubmitted) {
  Begin();
  ASSERT_TRUE(store_->Submit(At(1)));
  const CheckpointOutcome outcome = store_->WriteNow(At(2));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  {
    const MutexLock lock(mutex_);
    ASSERT_EQ(outcomes_.size(), 1u) << "what was submitted is done, and only that goes to Done";
    EXPECT_EQ(outcomes_[0].facts.batch, 1);
  }
  EXPECT_EQ(Files(), (std::set<std::string>{Name(1), Name(2)}));
}

TEST_F(CheckpointStoreTest, AStoreThatEndsDropsWhatWaits) {
  Begin();
  std::promise<void> begun;
  std::promise<void> go_on;
  CheckpointRequest slow = At(1);
  slow.state_hash = [&] {
    begun.set_value();
    go_on.get_future().wait();
    return std::string();
  };
  ASSERT_TRUE(store_->Submit(std::move(slow)));
  begun.get_future().wait();
  ASSERT_TRUE(store_->Submit(At(2)));
  go_on.set_value();
  store_.reset();
  EXPECT_EQ(Files().count(Name(1)), 1u) << "the one that was being written is whole";
}

TEST_F(CheckpointStoreTest, KeepsWhatIsRecordedAndNeeded) {
  Begin({2, 40, true});
  int64_t recorded = 0;
  for (const int64_t batch : {10, 20, 30, 40, 50, 60, 70}) {
    CheckpointRequest request = At(batch, batch == 20 ? 0.1 : 0.5);
    request.facts.pinned = batch == 10;
    ASSERT_TRUE(Write(std::move(request)).status.ok());
    store_->Recorded(++recorded);
  }
  EXPECT_TRUE(FilesBecome({Name(10), Name(20), Name(40), Name(60), Name(70)}));
}

TEST_F(CheckpointStoreTest, WhatIsNotRecordedTakesNothingFromWhatIs) {
  Begin({1, 0, false});
  Write(At(10));
  store_->Recorded(1);
  for (const int64_t batch : {20, 30, 40, 50}) Write(At(batch));
  EXPECT_TRUE(FilesBecome({Name(10), Name(40), Name(50)}));
  store_->Recorded(4);
  EXPECT_TRUE(FilesBecome({Name(40), Name(50)})) << "the fourth is the newest recorded, the fifth is not recorded";
}

TEST_F(CheckpointStoreTest, TheNewestThatIsAnnouncedIsThereForWhoeverGoesOn) {
  Begin({1, 0, false});
  Write(At(10));
  store_->Recorded(1);
  for (const int64_t batch : {20, 30}) Write(At(batch));
  store_->Recorded(1, 3);
  for (const int64_t batch : {40, 50, 60, 70}) Write(At(batch));
  EXPECT_TRUE(FilesBecome({Name(10), Name(30), Name(60), Name(70)}));
  store_->Recorded(7, 7);
  EXPECT_TRUE(FilesBecome({Name(70)}));
}

TEST_F(CheckpointStoreTest, GoesOnWithTheCheckpointsOfTheTrainerBefore) {
  Begin();
  std::vector<RecordedCheckpoint> recorded;
  for (const int64_t batch : {10, 20, 30}) {
    recorded.push_back(Recorded(Write(At(batch))));
    store_->Recorded(static_cast<int64_t>(recorded.size()));
  }
  Write(At(40));
  store_.reset();
  const std::string half = directory_ + "/checkpoints/batch-000000000050.safetensors.7-1.tmp";
  std::ofstream(half) << "half of it";
  std::ofstream(directory_ + "/checkpoints/notes.txt") << "a person's";
  Begin({2, 0, false}, recorded);
  EXPECT_FALSE(fs::exists(half));
  Write(At(50));
  EXPECT_TRUE(FilesBecome({Name(20), Name(30), Name(40), Name(50), "notes.txt"}));
  Write(At(60));
  EXPECT_TRUE(FilesBecome({Name(20), Name(30), Name(40), Name(50), Name(60), "notes.txt"}));
  store_->Recorded(2);
  EXPECT_TRUE(FilesBecome({Name(40), Name(50), Name(60), "notes.txt"}));
  Write(At(70));
  Write(At(80));
  EXPECT_TRUE(FilesBecome({Name(50), Name(60), Name(70), Name(80), "notes.txt"}))
      << "the one that the journal never heard of is the oldest of the unrecorded";
}

TEST_F(CheckpointStoreTest, WhatTheJournalDoesNotKnowIsKeptUntilItHasComeAsFar) {
  Begin();
  const CheckpointOutcome known = Write(At(10));
  store_->Recorded(1);
  for (const int64_t batch : {40, 50}) Write(At(batch));
  // As after damage to the journal, its newest checkpoints are gone from it.
  Begin({1, 0, false}, {Recorded(known)});
  for (const int64_t batch : {20, 30, 45}) Write(At(batch));
  EXPECT_TRUE(FilesBecome({Name(10), Name(30), Name(45), Name(40), Name(50)})) << "20 is one of this life";
  store_->Recorded(2);
  EXPECT_TRUE(FilesBecome({Name(30), Name(45), Name(40), Name(50)})) << "nothing recorded has come to 40";
  store_->Recorded(3);
  Write(At(46));
  Write(At(47));
  EXPECT_TRUE(FilesBecome({Name(45), Name(46), Name(47), Name(50)})) << "50 is still ahead";
  Write(At(50));
  store_->Recorded(6);
  Write(At(60));
  Write(At(70));
  EXPECT_TRUE(FilesBecome({"batch-000000000050-2.safetensors", Name(60), Name(70)}));
}

TEST_F(CheckpointStoreTest, AFailureNamesTheFileAndTheCauseAndLeavesNothing) {
  Begin();
  std::ofstream(directory_ + "/" + kCheckpointFolder) << "in the way";
  const CheckpointOutcome outcome = Write(At(50));
  EXPECT_EQ(ReasonOf(outcome.status), v1::ERROR_REASON_SAVE_FAILED);
  EXPECT_THAT(std::string(outcome.status.message()),
              ::testing::AllOf(HasSubstr("checkpoints/batch-000000000050.safetensors"), HasSubstr("File exists")));
  EXPECT_EQ(outcome.file, "");
  EXPECT_EQ(outcome.sha256, "");
  EXPECT_EQ(outcome.bytes, 0);
  EXPECT_EQ(outcome.facts.request_id, "request-50");
  fs::remove(directory_ + "/" + kCheckpointFolder);
  EXPECT_TRUE(Write(At(60)).status.ok()) << "when there is room again";
  EXPECT_EQ(Files(), std::set<std::string>{Name(60)});
}

TEST_F(CheckpointStoreTest, ADiskThatIsFullLeavesTheOneBefore) {
  Begin();
  const CheckpointOutcome before = Write(At(10));
  // The nearest thing to a full disk that needs no rights.
  rlimit limits = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limits), 0);
  rlimit small = limits;
  small.rlim_cur = 1000;
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  CheckpointRequest large = At(20);
  large.state.tensors["layers.0.weight"] = TensorOf(std::string(5000, 'x'));
  const CheckpointOutcome failed = Write(std::move(large));
  setrlimit(RLIMIT_FSIZE, &limits);
  signal(SIGXFSZ, old_handler);
  EXPECT_EQ(ReasonOf(failed.status), v1::ERROR_REASON_SAVE_FAILED);
  EXPECT_THAT(std::string(failed.status.message()), HasSubstr("File too large"));
  EXPECT_EQ(Files(), std::set<std::string>{Name(10)});
  EXPECT_TRUE(ReadCheckpoint(PathOf(before), before.sha256).ok());
  EXPECT_TRUE(Write(At(20)).status.ok());
}

TEST_F(CheckpointStoreTest, AFailedOneIsNotCountedAmongThoseRecorded) {
  Begin({1, 0, false});
  Write(At(10));
  std::error_code error;
  fs::rename(directory_ + "/checkpoints", directory_ + "/away", error);
  std::ofstream(directory_ + "/" + kCheckpointFolder) << "in the way";
  EXPECT_FALSE(Write(At(20)).status.ok());
  fs::remove(directory_ + "/" + kCheckpointFolder);
  fs::rename(directory_ + "/away", directory_ + "/checkpoints", error);
  Write(At(30));
  store_->Recorded(2);
  EXPECT_TRUE(FilesBecome({Name(30)}));
}

TEST_F(CheckpointStoreTest, ADamagedOneIsToldWithItsFileAndCause) {
  Begin();
  const CheckpointOutcome outcome = Write(At(50));
  const std::string path = PathOf(outcome);
  std::ifstream stream(path, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const auto read_as = [&](const std::string& content, const std::string& sha256) {
    // Not written over: some file systems sync what is.
    fs::remove(path);
    std::ofstream(path, std::ios::binary) << content;
    const absl::Status status = ReadCheckpoint(path, sha256).status();
    if (!status.ok()) {
      EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_CHECKPOINT_DAMAGED) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    }
    return status;
  };
  EXPECT_TRUE(read_as(good, outcome.sha256).ok());
  EXPECT_TRUE(read_as(good, "").ok());
  EXPECT_THAT(std::string(read_as(good, std::string(64, '0')).message()), HasSubstr("not what was written"));
  for (size_t position = 0; position < good.size(); ++position) {
    std::string flipped = good;
    flipped[position] = static_cast<char>(flipped[position] ^ (1 << (position % 8)));
    EXPECT_FALSE(read_as(flipped, outcome.sha256).ok()) << position;
    EXPECT_FALSE(read_as(good.substr(0, position), outcome.sha256).ok()) << position;
  }
  EXPECT_FALSE(read_as(good.substr(0, good.size() / 2), "").ok()) << "also where the hash is not known";
  fs::remove(path);
}

TEST_F(CheckpointStoreTest, OneThatCannotBeReadIsNotSaidToBeDamaged) {
  Begin();
  const CheckpointOutcome outcome = Write(At(50));
  const std::string path = PathOf(outcome);
  fs::remove(path);
  const absl::Status refused = ReadCheckpoint(path, outcome.sha256).status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_FILE_NOT_FOUND);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace pilothouse::trainer
