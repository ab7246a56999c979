// What the tests of a run's checkpoints share: a run whose journal and folder are as a test says.
#ifndef PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_TESTING_H_
#define PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_TESTING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

// The run "r", which has no checkpoints yet.
class CheckpointFixture : public testing::Test {
 protected:
  void SetUp() override {
    place_.directory = directory_.path();
    Begin(v1::RunSpec());
  }

  // The run anew, without checkpoints.
  void Begin(const v1::RunSpec& spec) {
    journal_ = nullptr;
    std::filesystem::remove_all(directory_.File("checkpoints"));
    std::filesystem::create_directory(directory_.File("checkpoints"));
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(place_.journal_path() + end);
    auto journal = Journal::Create(place_.journal_path(),
                                   {.run_id = "r", .start_request_id = "", .create_time = absl::Now(), .spec = spec});
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
    run_ = *journal_->LoadRun();
  }

  static std::string FileOf(int64_t batch) {
    return absl::StrCat("checkpoints/batch-", absl::Dec(batch, absl::kZeroPad12), ".safetensors");
  }
  static v1::CheckpointReport ReportOf(int64_t batch) {
    v1::CheckpointReport report;
    report.set_batch(batch);
    report.set_file(FileOf(batch));
    return report;
  }
  // Makes a file of one byte.
  void Touch(const std::string& file) { WriteFile(directory_.File(file), "x"); }
  void Record(const v1::CheckpointReport& report) {
    JournalEntry entry;
    entry.event = BareEvent(journal_->last_sequence() + 1);
    *entry.event.mutable_checkpoint() = report;
    ASSERT_TRUE(journal_->Append({entry}, Durability::kSynced).ok());
  }
  // Recorded, and there.
  void Keep(const v1::CheckpointReport& report) {
    Touch(report.file());
    Record(report);
  }

  TemporaryDirectory directory_;
  RunPlace place_;
  std::unique_ptr<Journal> journal_;
  v1::Run run_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_CHECKPOINT_TESTING_H_
