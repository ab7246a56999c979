// Journals of older schemas: read as they are, and brought to the newest when they are to be written on.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

int64_t VersionOf(const std::string& path) {
  const auto database = *Database::Open(path, Database::Mode::kRead);
  Statement select(*database, "PRAGMA user_version");
  return *select.Step() ? select.Integer(0) : -1;
}

// The argument: the version.
class JournalMigration : public testing::TestWithParam<int> {
 protected:
  JournalMigration() {
    auto journal = *Journal::Create(path_, AnyRun());
    const std::vector<JournalEntry> entries = {{LossEvent(1, 0.5), 1}, {EtaEvent(2, "req", 0.03), 2}};
    EXPECT_TRUE(journal->Append(entries, Durability::kSynced).ok());
    EXPECT_TRUE(journal->SetMeta("token", "secret").ok());
    journal.reset();
    const std::string back = absl::StrCat(
        "ALTER TABLE meta DROP COLUMN sum; ALTER TABLE run DROP COLUMN sum; ALTER TABLE events DROP COLUMN sum;"
        "DROP TABLE checkpoints; DROP INDEX rewinds; PRAGMA user_version = ",
        GetParam());
    EXPECT_TRUE((*Database::Open(path_, Database::Mode::kWrite))->Execute(back.c_str()).ok());
  }

  void ExpectContent(const JournalReader& reader) {
    const auto page = reader.Read(0, EventKindSet::All(), 100, 1 << 20);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->events.size(), 2u);
    EXPECT_THAT(*page->events[0], EqualsProto(LossEvent(1, 0.5)));
    EXPECT_THAT(*page->events[1], EqualsProto(EtaEvent(2, "req", 0.03)));
    EXPECT_TRUE(page->damaged.empty());
    EXPECT_EQ(reader.LoadRun()->run_id(), "digits");
    EXPECT_TRUE(reader.FindControl("req")->has_value());
    EXPECT_EQ(*reader.Meta("token"), "secret");
    EXPECT_TRUE(reader.Rewinds()->empty());
    EXPECT_EQ(reader.ReadLosses(0, {})->losses.size(), 1u);
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File(kJournalFile);
};

TEST_P(JournalMigration, IsNotNeededForReading) {
  ExpectContent(**JournalReader::Open(path_));
  EXPECT_EQ(VersionOf(path_), GetParam());
}

TEST_P(JournalMigration, BringsWhatIsToBeWrittenToTheNewestVersion) {
  const auto early_reader = *JournalReader::Open(path_);
  const auto journal = Journal::Open(path_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->damage(), std::nullopt);
  EXPECT_EQ(VersionOf(path_), kSchemaVersion);
  ExpectContent(*early_reader);
  ExpectContent(**JournalReader::Open(path_));
  v1::Event checkpoint = BareEvent(3);
  checkpoint.mutable_checkpoint()->set_batch(2);
  checkpoint.mutable_checkpoint()->set_error("The disk is full.");
  ASSERT_TRUE((*journal)->Append({{checkpoint, 3}}, Durability::kSynced).ok());
  EXPECT_EQ((*journal)->last_sequence(), 3u);
  const auto database = *Database::Open(path_, Database::Mode::kRead);
  Statement select(*database, "SELECT sequence, batch, file IS NULL, error FROM checkpoints");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Integer(0), 3);
  EXPECT_EQ(select.Integer(1), 2);
  EXPECT_EQ(select.Integer(2), 1);
  EXPECT_EQ(select.Bytes(3), "The disk is full.");
}

TEST_P(JournalMigration, FindsDamageWithoutSums) {
  ASSERT_TRUE((*Database::Open(path_, Database::Mode::kWrite))
                  ->Execute("UPDATE events SET payload = substr(payload, 1, 3) WHERE sequence = 1")
                  .ok());
  const auto page = (*JournalReader::Open(path_))->Read(0, EventKindSet::All(), 100, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->damaged, (std::vector<SequenceRange>{{1, 1}}));
  EXPECT_EQ(page->events.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(OlderVersions, JournalMigration, testing::Values(1, 2));

}  // namespace
}  // namespace pilothouse::service
