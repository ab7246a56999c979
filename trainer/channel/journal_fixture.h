// Test support: a run's directory with a journal in it, written row by row.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_FIXTURE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/journal_reader.h"
#include "proto/journal/journal_rows.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"

namespace pilothouse::trainer {

// The directory is gone afterwards.
class JournalFixture {
 public:
  explicit JournalFixture(v1::RunSpec spec = {}) {
    std::string pattern = testing::TempDir() + "/pilothouse-run-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(directory_ + "/checkpoints");
    run_.set_run_id("test-run");
    *run_.mutable_spec() = std::move(spec);
    absl::StatusOr<std::unique_ptr<Database>> created =
        Database::Open(absl::StrCat(directory_, "/", kJournalFile), Database::Mode::kCreate);
    EXPECT_TRUE(created.ok()) << created.status();
    database_ = *std::move(created);
    // No test outlives the machine.
    Execute("PRAGMA synchronous = OFF");
    EXPECT_TRUE(CreateSchema(*database_).ok());
    Store();
  }
  ~JournalFixture() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  JournalFixture(const JournalFixture&) = delete;
  JournalFixture& operator=(const JournalFixture&) = delete;

  const std::string& directory() const { return directory_; }
  v1::Run& run() { return run_; }

  // The next event of the journal. Returns its sequence.
  uint64_t Add(v1::Event event) {
    event.set_sequence(++sequence_);
    const absl::Status inserted = EventInserter(*database_).Insert({event, sequence_});
    EXPECT_TRUE(inserted.ok()) << inserted << event.DebugString();
    EXPECT_TRUE(StorePosition(*database_, sequence_, sequence_).ok());
    events_[sequence_] = std::move(event);
    return sequence_;
  }
  // Puts another event in the place of one, as whoever wants to deceive would.
  void Rewrite(uint64_t sequence, const std::function<void(v1::Event&)>& change) {
    v1::Event& event = events_.at(sequence);
    change(event);
    Execute(absl::StrCat("DELETE FROM controls WHERE control_id = ", sequence));
    Execute(absl::StrCat("DELETE FROM checkpoints WHERE sequence = ", sequence));
    Execute(absl::StrCat("DELETE FROM events WHERE sequence = ", sequence));
    EXPECT_TRUE(EventInserter(*database_).Insert({event, sequence}).ok());
  }
  // After run() was changed.
  void Store() {
    EXPECT_TRUE(StoreMeta(*database_, kMetaSpec, run_.spec().SerializeAsString()).ok());
    EXPECT_TRUE(StoreRun(*database_, run_, sequence_, sequence_).ok());
  }
  void Execute(const std::string& sql) { EXPECT_TRUE(database_->Execute(sql.c_str()).ok()); }

 private:
  std::string directory_;
  v1::Run run_;
  std::unique_ptr<Database> database_;
  uint64_t sequence_ = 0;
  std::map<uint64_t, v1::Event> events_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_JOURNAL_FIXTURE_H_
