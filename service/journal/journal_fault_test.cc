// What a journal does when something goes wrong: a killed writer, a full disk, a damaged or foreign file.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "proto/journal/schema.h"
#include "proto/journal/sqlite.h"
#include "proto/support/error.h"
#include "service/journal/full_disk.h"
#include "service/journal/journal.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

using testing::HasSubstr;

std::vector<JournalEntry> Losses(uint64_t first, uint64_t last) {
  std::vector<JournalEntry> entries;
  for (uint64_t i = first; i <= last; ++i) entries.push_back({LossEvent(i, 1), i});
  return entries;
}

TEST(JournalFault, KeepsWhatWasAppendedWhenItsWriterIsKilled) {
  const TemporaryDirectory directory;
  const std::string path = directory.File(kJournalFile);
  const pid_t writer = fork();
  if (writer == 0) {
    auto journal = Journal::Create(path, AnyRun());
    const std::vector<JournalEntry> control = {{EtaEvent(101, "req", 0.03), 101}};
    const bool appended = journal.ok() && (*journal)->Append(Losses(1, 100), Durability::kUnsynced).ok() &&
                          (*journal)->Append(control, Durability::kSynced).ok();
    if (appended) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(writer, &status, 0), writer);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the writer could not write";

  // A reader alone can recover it, too.
  const auto reader = JournalReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->FindControl("req")->has_value());
  const auto journal = Journal::Open(path);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->last_sequence(), 101u);
  EXPECT_TRUE((*journal)->Append(Losses(102, 102), Durability::kUnsynced).ok());
}

TEST(JournalFault, IsUnchangedAndUsableAfterTheDiskWasFull) {
  const TemporaryDirectory directory;
  auto journal = *Journal::Create(directory.File(kJournalFile), AnyRun());
  ASSERT_TRUE(journal->Append(Losses(1, 10), Durability::kUnsynced).ok());
  v1::Run now = *journal->LoadRun();
  now.set_batch(5000);
  for (const Durability durability : {Durability::kUnsynced, Durability::kSynced}) {
    const FullDisk full(200 << 10);
    const absl::Status status = journal->Append(Losses(11, 5000), durability, &now);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_JOURNAL_FAILED) << status;
    EXPECT_NE(ToError(status).metadata().at("cause"), "");
    EXPECT_EQ(journal->last_sequence(), 10u);
    EXPECT_EQ(journal->last_report(), 10u);
    EXPECT_EQ(journal->LoadRun()->batch(), 0);
    EXPECT_TRUE((*JournalReader::Open(directory.File(kJournalFile)))->Read(9, EventKindSet::All(), 9, 99)->through ==
                10u);
  }
  ASSERT_TRUE(journal->Append(Losses(11, 5000), Durability::kSynced, &now).ok());
  EXPECT_EQ(journal->LoadRun()->last_sequence(), 5000u);
}

TEST(JournalFault, RefusesANewerSchemaWithASentence) {
  const TemporaryDirectory directory;
  const std::string path = directory.File(kJournalFile);
  ASSERT_TRUE(Journal::Create(path, AnyRun()).ok());
  ASSERT_TRUE((*Database::Open(path, Database::Mode::kWrite))
                  ->Execute(absl::StrCat("PRAGMA user_version = ", kSchemaVersion + 1).c_str())
                  .ok());
  for (const absl::Status& status : {Journal::Open(path).status(), JournalReader::Open(path).status()}) {
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_JOURNAL_FAILED);
    EXPECT_THAT(std::string(status.message()), HasSubstr("written by a newer pilothoused"));
  }
}

TEST(JournalFault, RefusesADatabaseThatIsNoJournal) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("other.db");
  ASSERT_TRUE((*Database::Open(path, Database::Mode::kCreate))->Execute("CREATE TABLE t (x)").ok());
  EXPECT_THAT(std::string(Journal::Open(path).status().message()), HasSubstr("no journal of a run"));
}

TEST(JournalFault, SaysInSqlitesWordsThatAFileIsDamaged) {
  const TemporaryDirectory directory;
  const std::string path = directory.File(kJournalFile);
  {
    auto journal = *Journal::Create(path, AnyRun());
    ASSERT_TRUE(journal->Append(Losses(1, 5000), Durability::kUnsynced).ok());
  }
  // All but the first page, so that the damage shows in reading and not in opening.
  const auto size = std::filesystem::file_size(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(size - 4096, '\xab');
  file.close();
  const absl::Status damaged = Journal::Open(path).status();
  EXPECT_EQ(ReasonOf(damaged), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_EQ(ToError(damaged).metadata().at("cause"), "database disk image is malformed");

  std::ofstream(path) << std::string(8192, 'x');
  EXPECT_EQ(ToError(Journal::Open(path).status()).metadata().at("cause"), "file is not a database");
  EXPECT_EQ(ToError(JournalReader::Open(directory.File("none.db")).status()).metadata().at("cause"),
            "unable to open database file");
}

// Takes the right to write whatever a file's mode says from this thread, if it has it (root does). Taking another
// user's place instead would fail where that user cannot even reach the file.
class Unprivileged {
 public:
  Unprivileged() {
    if (syscall(SYS_capget, &header_, before_) != 0) abort();
    __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = {before_[0], before_[1]};
    now[CAP_TO_INDEX(CAP_DAC_OVERRIDE)].effective &= ~CAP_TO_MASK(CAP_DAC_OVERRIDE);
    if (syscall(SYS_capset, &header_, now) != 0) abort();
  }
  ~Unprivileged() {
    if (syscall(SYS_capset, &header_, before_) != 0) abort();
  }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[_LINUX_CAPABILITY_U32S_3] = {};
};

TEST(JournalFault, ReadsAnEndedRunWhereItMayNotWrite) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("an odd name?.db");
  {
    auto journal = *Journal::Create(path, AnyRun());
    ASSERT_TRUE(journal->Append(Losses(1, 10), Durability::kSynced).ok());
  }
  ASSERT_EQ(chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(chmod(directory.path().c_str(), 0555), 0);
  {
    const Unprivileged now;
    ASSERT_NE(faccessat(AT_FDCWD, directory.path().c_str(), W_OK, AT_EACCESS), 0);
    const auto reader = JournalReader::Open(path);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ((*reader)->Read(0, EventKindSet::All(), 100, 1 << 20)->events.size(), 10u);
  }
  ASSERT_EQ(chmod(directory.path().c_str(), 0755), 0);
}

}  // namespace
}  // namespace pilothouse::service
