// A journal whose writer was killed, with damage in the log that it left.
#include "service/journal/log_mending.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/journal/sqlite.h"
#include "proto/journal/wal_format.h"
#include "proto/support/error.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

constexpr uint64_t kCommits = 12;
constexpr uint64_t kEventsPerCommit = 20;
constexpr uint64_t kEvents = kCommits * kEventsPerCommit;
constexpr size_t kPageBytes = 4096;
constexpr size_t kFrameBytes = kWalFrameHeaderBytes + kPageBytes;

// Each transaction ends with a control.
v1::Event AnyEvent(uint64_t sequence) {
  if (sequence % kEventsPerCommit == 0) return EtaEvent(sequence, absl::StrCat("req-", sequence), 0.1);
  return LossEvent(sequence, 1.0 / static_cast<double>(sequence));
}

class LogMending : public testing::Test {
 protected:
  LogMending() {
    const auto journal = *Journal::Create(path_, AnyRun());
    for (uint64_t first = 1; first <= kEvents; first += kEventsPerCommit) {
      std::vector<JournalEntry> entries;
      for (uint64_t i = first; i < first + kEventsPerCommit; ++i) entries.push_back({AnyEvent(i), i});
      EXPECT_TRUE(journal->Append(entries, Durability::kUnsynced).ok());
      if (first == 1) first_commits_ = fs::file_size(WalPathOf(path_));
    }
    file_ = ReadFile(path_);
    log_ = ReadFile(WalPathOf(path_));
  }

  // What a killed writer left, with this log.
  void Put(const std::string& log) {
    for (const auto& entry : fs::directory_iterator(directory_.path())) fs::remove(entry.path());
    WriteFile(path_, file_);
    WriteFile(WalPathOf(path_), log);
  }
  std::string Flipped(size_t at, unsigned bit) const {
    std::string log = log_;
    log[at] = static_cast<char>(static_cast<unsigned char>(log[at]) ^ 1U << bit);
    return log;
  }

  struct Read {
    uint64_t events = 0;
    uint64_t damaged = 0;
  };
  // Of the events up to kEvents; each is as it was recorded.
  Read ReadAll() const {
    const auto reader = JournalReader::Open(path_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return {};
    const auto page = (*reader)->Read(0, EventKindSet::All(), 1000, 1 << 30);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return {};
    Read read;
    for (const auto& event : page->events) {
      EXPECT_THAT(*event, EqualsProto(AnyEvent(event->sequence())));
      ++read.events;
    }
    for (const SequenceRange& range : page->damaged) read.damaged += range.last - range.first + 1;
    return read;
  }

  size_t frames() const { return (log_.size() - kWalHeaderBytes) / kFrameBytes; }
  static size_t FrameAt(size_t frame) { return kWalHeaderBytes + frame * kFrameBytes; }
  WalFrame FrameOf(size_t frame) const { return ParseWalFrame(log_.substr(FrameAt(frame), kFrameBytes), false); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File(kJournalFile);
  std::string file_;
  std::string log_;
  // Bytes of the log with the run and the first events.
  size_t first_commits_ = 0;
};

TEST_F(LogMending, LosesNothingWhereverALowBitIsFlipped) {
  std::mt19937 random(5);
  for (size_t frame = 0; frame < frames(); ++frame) {
    // Of the page, a lower byte of a word, as this machine sums them; of the frame's header, any.
    const size_t in_page = kWalFrameHeaderBytes + random() % (kPageBytes / 4) * 4 + random() % 2;
    for (const size_t at : {random() % 8, 8 + random() % 8, 16 + random() % 8, in_page}) {
      SCOPED_TRACE(absl::StrCat("byte ", at, " of frame ", frame + 1));
      const std::string log = Flipped(FrameAt(frame) + at, random() % 8);
      Put(log);
      const auto journal = Journal::Open(path_, JournalSync::kNormal);
      ASSERT_TRUE(journal.ok()) << journal.status();
      ASSERT_TRUE((*journal)->damage().has_value());
      EXPECT_THAT(*(*journal)->damage(),
                  testing::AllOf(HasSubstr(absl::StrCat("frame ", frame + 1, " (page ")),
                                 HasSubstr("; the damaged log is kept as run.db-wal.damaged-1.")));
      EXPECT_EQ(ReadFile(WalPathOf(path_) + ".damaged-1"), log);
      EXPECT_EQ((*journal)->last_sequence(), kEvents);
      EXPECT_EQ(ReadAll().events, kEvents);
      EXPECT_TRUE((*journal)->FindControl(absl::StrCat("req-", kEvents))->has_value());
    }
  }
}

TEST_F(LogMending, SaysWhatIsLostWhereverAnyBitIsFlipped) {
  std::mt19937 random(6);
  uint64_t read_in_all = 0;
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    // The page of the spec is among the first: without it there is no run.
    const size_t at = first_commits_ + random() % (log_.size() - first_commits_);
    // The highest bits of a word, as this machine sums them: which it was, a checksum does not tell.
    const bool high = (at - kWalHeaderBytes) % kFrameBytes >= kWalFrameHeaderBytes && at % 4 == 3;
    SCOPED_TRACE(absl::StrCat("byte ", at, high ? ", high" : ""));
    Put(Flipped(at, random() % 8));
    {
      const auto journal = Journal::Open(path_, JournalSync::kNormal);
      ASSERT_TRUE(journal.ok()) << journal.status();
      ASSERT_TRUE((*journal)->damage().has_value());
      const Read read = ReadAll();
      EXPECT_EQ(read.events + read.damaged, (*journal)->last_sequence());
      read_in_all += read.events;
      if (read.events < kEvents) {
        EXPECT_THAT(*(*journal)->damage(), testing::AnyOf(HasSubstr("events are lost"), HasSubstr("on is lost")));
      }
      const uint64_t next = (*journal)->last_sequence() + 1;
      EXPECT_TRUE((*journal)->Append({{AnyEvent(next), next}}, Durability::kUnsynced).ok());
    }
    const auto again = Journal::Open(path_, JournalSync::kNormal);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ((*again)->damage(), std::nullopt) << "what is mended is mended";
  }
  EXPECT_GT(read_in_all, kRounds * kEvents * 95 / 100);
}

TEST_F(LogMending, MendsTheHeader) {
  for (size_t at = 0; at < kWalHeaderBytes; ++at) {
    SCOPED_TRACE(absl::StrCat("byte ", at));
    Put(Flipped(at, at % 8));
    const auto journal = Journal::Open(path_, JournalSync::kNormal);
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_THAT((*journal)->damage().value_or(""), HasSubstr("The log of its journal was damaged (the header of "));
    EXPECT_THAT((*journal)->damage().value_or(""), HasSubstr("and nothing of it is lost;"));
    EXPECT_EQ(ReadAll().events, kEvents);
  }
}

TEST_F(LogMending, TakesALogThatWasCutShortForWhatItHolds) {
  for (size_t frame = frames() - 6; frame < frames(); ++frame) {
    for (const size_t part : {size_t{0}, size_t{1}, kWalFrameHeaderBytes, size_t{2000}, kFrameBytes - 1}) {
      Put(log_.substr(0, FrameAt(frame) + part));
      const auto journal = Journal::Open(path_, JournalSync::kNormal);
      ASSERT_TRUE(journal.ok()) << journal.status();
      EXPECT_EQ((*journal)->damage(), std::nullopt);
      EXPECT_GE((*journal)->last_sequence(), kEvents - 6 * kEventsPerCommit);
      EXPECT_EQ(ReadAll().events, (*journal)->last_sequence());
    }
  }
}

TEST_F(LogMending, KeepsWhatCanBeReadAroundAPageOfGarbage) {
  std::mt19937 random(7);
  for (size_t frame = (first_commits_ - kWalHeaderBytes) / kFrameBytes; frame < frames(); ++frame) {
    SCOPED_TRACE(absl::StrCat("frame ", frame + 1, " of ", frames()));
    std::string log = log_;
    for (size_t i = 0; i < kPageBytes; ++i)
      log[FrameAt(frame) + kWalFrameHeaderBytes + i] = static_cast<char>(random());
    Put(log);
    const auto journal = Journal::Open(path_, JournalSync::kNormal);
    ASSERT_TRUE(journal.ok()) << journal.status();
    if (frame + 1 < frames()) {
      ASSERT_TRUE((*journal)->damage().has_value());
    } else {
      // It cannot be told from one that was being written.
      EXPECT_EQ((*journal)->damage(), std::nullopt);
      EXPECT_EQ((*journal)->last_sequence(), kEvents - kEventsPerCommit);
    }
    const Read read = ReadAll();
    EXPECT_EQ(read.events + read.damaged, (*journal)->last_sequence());
    EXPECT_GE(read.events, kEvents / 3);
  }
}

TEST_F(LogMending, TakesNothingFromWhatCameBeforeATransactionOfWhichAPartIsMissing) {
  // As after a loss of power: the disk writes in any order.
  size_t first = frames() - 1;
  const auto ends = [&](size_t frame) { return FrameOf(frame).size_after != 0; };
  while (!ends(first - 1)) --first;
  ASSERT_LT(first, frames() - 1);
  for (size_t frame = first; frame + 1 < frames(); ++frame) {
    for (const size_t missing_from : {size_t{0}, kWalFrameHeaderBytes}) {
      SCOPED_TRACE(absl::StrCat("byte ", missing_from, " of frame ", frame + 1, " of ", frames()));
      std::string log = log_;
      log.replace(FrameAt(frame) + missing_from, kFrameBytes - missing_from, kFrameBytes - missing_from, '\0');
      Put(log);
      const auto journal = Journal::Open(path_, JournalSync::kNormal);
      ASSERT_TRUE(journal.ok()) << journal.status();
      const Read read = ReadAll();
      EXPECT_GE(read.events, kEvents - kEventsPerCommit);
      EXPECT_EQ(read.events + read.damaged, (*journal)->last_sequence());
    }
  }
}

TEST_F(LogMending, CutsOffALogBeforeAPageThatTheRunCannotGoOnWithout) {
  // The row of the run is on a page that every transaction writes: the last one's.
  size_t frame = frames();
  for (size_t i = 0; i + 1 < frames(); ++i) {
    if (absl::StrContains(log_.substr(FrameAt(i), kFrameBytes), "STARTING") && FrameOf(i).page == 3) frame = i;
  }
  ASSERT_LT(frame, frames()) << "there is such a page, and it is not the last of its transaction";
  std::string log = log_;
  log.replace(FrameAt(frame) + kWalFrameHeaderBytes, kPageBytes, kPageBytes, 'x');
  Put(log);
  const auto journal = Journal::Open(path_, JournalSync::kNormal);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_THAT((*journal)->damage().value_or(""),
              HasSubstr(absl::StrCat("what was recorded from frame ", frame + 1, " on is lost; the damaged log")));
  EXPECT_EQ((*journal)->last_sequence(), kEvents - kEventsPerCommit);
  EXPECT_EQ(ReadAll().events, kEvents - kEventsPerCommit);
}

TEST_F(LogMending, LeavesARunAloneThatItCannotMend) {
  // Nothing of the spec is left.
  std::string log = log_;
  log.replace(FrameAt(0), kFrameBytes, kFrameBytes, 'x');
  Put(log);
  const absl::Status refused = Journal::Open(path_).status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("what was recorded from frame 1 on is lost"));
  EXPECT_EQ(ReadFile(WalPathOf(path_) + ".damaged-1"), log);
}

TEST_F(LogMending, DoesNotOpenWhatItCannotMend) {
  // Where its copy is to be written, something is in the way.
  const std::string log = Flipped(FrameAt(3) + 100, 0);
  Put(log);
  fs::create_directories(WalPathOf(path_) + ".mending/in-the-way");
  EXPECT_EQ(ReasonOf(Journal::Open(path_).status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_EQ(ReadFile(WalPathOf(path_)), log) << "SQLite has not seen it";
  fs::remove_all(WalPathOf(path_) + ".mending");
  const auto journal = Journal::Open(path_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ(ReadAll().events, kEvents);
  EXPECT_FALSE(fs::exists(WalPathOf(path_) + ".damaged-2")) << "it was kept before";
}

}  // namespace
}  // namespace pilothouse::service
