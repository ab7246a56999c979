// What is read from a damaged journal, and what a writer makes of it. Damage is drawn at random, the same in every run.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/sqlite.h"
#include "proto/support/error.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

constexpr uint64_t kEvents = 600;
constexpr size_t kPageBytes = 4096;

v1::Event CheckpointEvent(uint64_t sequence) {
  v1::Event event = BareEvent(sequence);
  event.mutable_checkpoint()->set_file("checkpoints/some.safetensors");
  event.mutable_checkpoint()->set_sha256(std::string(64, 'a'));
  return event;
}

// Mostly losses, as in life.
v1::Event AnyEvent(uint64_t sequence) {
  if (sequence % 100 == 0) return StateEvent(sequence, 10'000, true);
  if (sequence % 50 == 0) return CheckpointEvent(sequence);
  if (sequence % 20 == 0) return EtaEvent(sequence, absl::StrCat("req-", sequence), 0.1);
  if (sequence % 30 == 7) return PluginOutputEvent(sequence, 300);
  if (sequence % 70 == 1) return StatusEvent(sequence, v1::RUN_STATUS_TRAINING);
  return LossEvent(sequence, 1.0 / static_cast<double>(sequence));
}

class JournalDamage : public testing::Test {
 protected:
  JournalDamage() {
    auto journal = *Journal::Create(path_, AnyRun());
    for (uint64_t first = 1; first <= kEvents; first += 50) {
      std::vector<JournalEntry> entries;
      for (uint64_t i = first; i < first + 50; ++i) entries.push_back({AnyEvent(i), i});
      EXPECT_TRUE(journal->Append(entries, Durability::kUnsynced).ok());
    }
    for (uint64_t i = 1; i <= kEvents + 1; ++i) original_[i] = AnyEvent(i).SerializeAsString();
    // As a writer that is killed leaves it.
    unclosed_ = ReadFile(path_);
    log_ = ReadFile(path_ + "-wal");
    journal.reset();
    whole_ = ReadFile(path_);
  }

  // The journal as `content`, with nothing of what stood there before.
  void Put(const std::string& content, const std::string& log = "") {
    for (const auto& entry : fs::directory_iterator(directory_.path())) fs::remove(entry.path());
    WriteFile(path_, content);
    if (!log.empty()) WriteFile(path_ + "-wal", log);
  }

  void ExpectOriginal(const v1::Event& event) {
    EXPECT_EQ(event.SerializeAsString(), original_[event.sequence()]) << event.sequence();
  }

  // Reads all there is; the sequences that were neither read nor named as damaged.
  std::vector<uint64_t> Unnamed(const JournalReader& reader, EventKindSet kinds) {
    std::map<uint64_t, bool> seen;
    uint64_t through = 0;
    for (;;) {
      const auto page = reader.Read(through, kinds, 64, 1 << 20);
      EXPECT_EQ(page.ok() ? v1::ERROR_REASON_UNSPECIFIED : ReasonOf(page.status()), v1::ERROR_REASON_UNSPECIFIED)
          << page.status();
      if (!page.ok()) break;
      for (const auto& event : page->events) {
        ExpectOriginal(*event);
        seen[event->sequence()] = true;
      }
      for (const SequenceRange& range : page->damaged) {
        for (uint64_t i = range.first; i <= std::min(range.last, kEvents); ++i) seen[i] = true;
      }
      if (page->through <= through || page->through == page->last_sequence) break;
      through = page->through;
    }
    std::vector<uint64_t> unnamed;
    for (uint64_t i = 1; i <= kEvents; ++i) {
      if (kinds.Contains(KindOf(AnyEvent(i))) && !seen[i]) unnamed.push_back(i);
    }
    return unnamed;
  }

  size_t CountOf(const JournalReader& reader) {
    return reader.Read(0, EventKindSet::All(), 1000, 1 << 30).value_or(JournalPage()).events.size();
  }

  // A writer goes on with what can be read, says so if it is not all, or refuses and leaves everything as it is.
  void ExpectWriterCopes() {
    const std::string before = ReadFile(path_);
    const auto journal = Journal::Open(path_, JournalSync::kNormal);
    if (!journal.ok()) {
      EXPECT_EQ(ReasonOf(journal.status()), v1::ERROR_REASON_JOURNAL_FAILED) << journal.status();
      EXPECT_EQ(ReadFile(path_), before);
      return;
    }
    EXPECT_EQ((*journal)->LoadRun()->run_id(), "digits");
    ASSERT_EQ((*journal)->last_sequence(), kEvents);
    EXPECT_TRUE((*journal)->Append({{AnyEvent(kEvents + 1), kEvents + 1}}, Durability::kUnsynced).ok());
    const auto reader = JournalReader::Open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto page = (*reader)->Read(0, EventKindSet::All(), 1000, 1 << 30);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& event : page->events) ExpectOriginal(*event);
    if (page->events.size() < kEvents + 1) {
      EXPECT_FALSE(page->damaged.empty());
      ASSERT_TRUE((*journal)->damage().has_value());
      EXPECT_THAT(*(*journal)->damage(), HasSubstr("lost"));
      EXPECT_EQ(ReadFile(path_ + ".damaged-1"), before);
    }
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File(kJournalFile);
  std::map<uint64_t, std::string> original_;
  std::string whole_;
  std::string unclosed_;
  std::string log_;
};

TEST_F(JournalDamage, NeverReadsAWrongEventWhereverABitIsFlipped) {
  std::mt19937 random(1);
  constexpr int kRounds = 200;
  size_t read_in_all = 0;
  int damaged = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string content = whole_;
    const size_t at = random() % content.size();
    content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
    SCOPED_TRACE(absl::StrCat("byte ", at));
    Put(content);
    const auto reader = JournalReader::Open(path_);
    if (!reader.ok()) {
      EXPECT_EQ(ReasonOf(reader.status()), v1::ERROR_REASON_JOURNAL_FAILED) << reader.status();
      EXPECT_LT(at, kPageBytes) << "only the first page says what the others are";
      continue;
    }
    const size_t read = CountOf(**reader);
    if (read == 0) {
      EXPECT_LT(at, kPageBytes) << "only the first page says what the others are";
      continue;
    }
    EXPECT_THAT(Unnamed(**reader, EventKindSet::All()), testing::IsEmpty());
    read_in_all += read;
    if (read < kEvents) ++damaged;
    // Losses are not verified here, nor is their being there: that this ends is what is tested.
    EXPECT_TRUE((*reader)->ReadLosses(0, {}).ok());
    for (const uint64_t control : {40, 220, 580}) {
      const auto found = (*reader)->FindControl(absl::StrCat("req-", control));
      if (found.ok() && found->has_value()) {
        EXPECT_EQ((*found)->receipt.control_id(), control);
      }
    }
    if (round % 3 == 0) ExpectWriterCopes();
  }
  EXPECT_GT(read_in_all, kEvents * kRounds * 9 / 10) << "a page holds no more than a tenth of them";
  EXPECT_GT(damaged, 30) << "the flips missed what matters";
}

TEST_F(JournalDamage, ReadsWhatIsNoLossAroundDamage) {
  std::mt19937 random(2);
  EventKindSet kinds = EventKindSet::All();
  kinds.Remove(v1::EVENT_KIND_LOSS);
  for (int round = 0; round < 100; ++round) {
    std::string content = whole_;
    const size_t at = kPageBytes + random() % (content.size() - kPageBytes);
    content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
    SCOPED_TRACE(absl::StrCat("byte ", at));
    Put(content);
    const auto reader = JournalReader::Open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (uint64_t through = 0;;) {
      const auto page = (*reader)->Read(through, kinds, 16, 1 << 20);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const auto& event : page->events) ExpectOriginal(*event);
      if (page->through <= through || page->through == page->last_sequence) break;
      through = page->through;
    }
  }
}

TEST_F(JournalDamage, ReadsAroundPagesOfGarbage) {
  std::mt19937 random(3);
  size_t most = 0;
  for (int round = 0; round < 60; ++round) {
    std::string content = whole_;
    for (int pages = 1 + static_cast<int>(random() % 3); pages > 0; --pages) {
      const size_t page = 1 + random() % (content.size() / kPageBytes - 1);
      for (size_t i = 0; i < kPageBytes; ++i) content[page * kPageBytes + i] = static_cast<char>(random());
    }
    SCOPED_TRACE(round);
    Put(content);
    const auto reader = JournalReader::Open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto page = (*reader)->Read(0, EventKindSet::All(), 1000, 1 << 30);
    if (page.ok()) {
      for (const auto& event : page->events) ExpectOriginal(*event);
      most = std::max(most, page->events.size());
    }
    ExpectWriterCopes();
  }
  EXPECT_GT(most, kEvents / 2);
}

TEST_F(JournalDamage, ReadsWhatATruncatedFileStillHolds) {
  std::vector<size_t> sizes = {0, 1, 99, 100, kPageBytes - 1, kPageBytes, kPageBytes + 1};
  for (size_t size = 2 * kPageBytes; size < whole_.size(); size += 3 * kPageBytes) {
    sizes.insert(sizes.end(), {size - 1, size, size + 517});
  }
  size_t most = 0;
  for (const size_t size : sizes) {
    SCOPED_TRACE(absl::StrCat(size, " of ", whole_.size(), " bytes"));
    Put(whole_.substr(0, size));
    const auto reader = JournalReader::Open(path_);
    if (!reader.ok()) {
      EXPECT_EQ(ReasonOf(reader.status()), v1::ERROR_REASON_JOURNAL_FAILED) << reader.status();
    } else {
      const auto page = (*reader)->Read(0, EventKindSet::All(), 1000, 1 << 30);
      if (page.ok()) {
        for (const auto& event : page->events) ExpectOriginal(*event);
        most = std::max(most, page->events.size());
      }
    }
    ExpectWriterCopes();
  }
  EXPECT_GT(most, kEvents / 2) << "of the longest, most can be read";
}

TEST_F(JournalDamage, TakesATornLogForWhatItHoldsUpToThere) {
  ASSERT_FALSE(log_.empty());
  std::mt19937 random(4);
  uint64_t most = 0;
  for (int round = 0; round < 50; ++round) {
    const size_t size = random() % log_.size();
    SCOPED_TRACE(absl::StrCat(size, " of ", log_.size(), " bytes"));
    Put(unclosed_, log_.substr(0, size));
    const auto journal = Journal::Open(path_);
    if (!journal.ok()) {
      // Nothing was ever folded into the file: it is empty without its log.
      EXPECT_EQ(ReasonOf(journal.status()), v1::ERROR_REASON_JOURNAL_FAILED) << journal.status();
      continue;
    }
    EXPECT_EQ((*journal)->damage(), std::nullopt);
    const auto reader = JournalReader::Open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto page = (*reader)->Read(0, EventKindSet::All(), 1000, 1 << 30);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->events.size(), (*journal)->last_sequence());
    for (const auto& event : page->events) ExpectOriginal(*event);
    most = std::max(most, (*journal)->last_sequence());
  }
  EXPECT_GT(most, kEvents / 2);
}

TEST_F(JournalDamage, NamesTheSequenceOfADamagedControl) {
  ASSERT_TRUE(
      (*Database::Open(path_, Database::Mode::kWrite))
          ->Execute("UPDATE events SET payload = x'00' WHERE sequence = 40; DELETE FROM events WHERE sequence = 80")
          .ok());
  const auto reader = *JournalReader::Open(path_);
  for (const int sequence : {40, 80}) {
    const absl::Status error = reader->FindControl(absl::StrCat("req-", sequence)).status();
    EXPECT_EQ(ReasonOf(error), v1::ERROR_REASON_JOURNAL_FAILED);
    EXPECT_THAT(std::string(error.message()), HasSubstr(absl::StrCat("event ", sequence, ", the control")));
  }
  const auto controls = reader->Read(0, {v1::EVENT_KIND_CONTROL}, 1000, 1 << 20);
  ASSERT_TRUE(controls.ok()) << controls.status();
  EXPECT_THAT(controls->damaged, testing::IsSupersetOf({SequenceRange{40, 40}, SequenceRange{80, 80}}));
}

TEST_F(JournalDamage, RemembersAControlWhoseEventIsLost) {
  ASSERT_TRUE((*Database::Open(path_, Database::Mode::kWrite))
                  ->Execute("UPDATE events SET payload = x'00' WHERE sequence IN (40, 41)")
                  .ok());
  const auto journal = Journal::Open(path_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  ASSERT_TRUE((*journal)->damage().has_value());
  EXPECT_EQ(*(*journal)->damage(),
            "Its journal was damaged, and 2 of 600 events are lost (40 to 41), among them control 40; "
            "the damaged file is kept as run.db.damaged-1.");
  EXPECT_EQ(ReasonOf((*journal)->FindControl("req-40").status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_TRUE((*journal)->FindControl("req-80")->has_value());
  EXPECT_EQ((*journal)->last_report(), kEvents);
}

TEST_F(JournalDamage, LeavesARunAloneWhoseSpecIsLostButReadsItsEvents) {
  for (const char* damage : {"UPDATE meta SET value = x'00' WHERE key = 'spec'", "DELETE FROM run",
                             "UPDATE run SET last_sequence = last_sequence + 1"}) {
    Put(whole_);
    ASSERT_TRUE((*Database::Open(path_, Database::Mode::kWrite))->Execute(damage).ok());
    const auto journal = Journal::Open(path_);
    EXPECT_EQ(ReasonOf(journal.status()), v1::ERROR_REASON_JOURNAL_FAILED) << damage;
    EXPECT_THAT(std::string(journal.status().message()), HasSubstr("is damaged: the r")) << damage;
    EXPECT_FALSE(fs::exists(path_ + ".damaged-1"));
    EXPECT_EQ(CountOf(**JournalReader::Open(path_)), kEvents);
  }
}

TEST_F(JournalDamage, FinishesASalvageThatWasCutShort) {
  // All but the last step, of a salvage that had come upon a file of which only the first half could be read.
  Put("the damaged journal", "its log");
  fs::create_hard_link(path_, path_ + ".damaged-1");
  WriteFile(path_ + ".salvaged", whole_);
  const auto journal = Journal::Open(path_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->last_sequence(), kEvents);
  EXPECT_EQ(ReadFile(path_ + ".damaged-1"), "the damaged journal");
  EXPECT_EQ(ReadFile(path_ + ".damaged-1-wal"), "its log");
  EXPECT_FALSE(fs::exists(path_ + ".salvaged"));
}

TEST_F(JournalDamage, KeepsEveryDamagedFileThereWas) {
  for (int time = 1; time <= 3; ++time) {
    ASSERT_TRUE((*Database::Open(path_, Database::Mode::kWrite))
                    ->Execute(absl::StrCat("UPDATE events SET payload = x'00' WHERE sequence = ", time).c_str())
                    .ok());
    ASSERT_TRUE((*Journal::Open(path_))->damage().has_value());
    EXPECT_TRUE(fs::exists(absl::StrCat(path_, ".damaged-", time)));
    EXPECT_EQ((*Journal::Open(path_))->damage(), std::nullopt) << "what is lost is lost once";
  }
}

}  // namespace
}  // namespace pilothouse::service
