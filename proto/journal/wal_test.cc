#include "proto/journal/wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/sqlite.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void FlipBit(std::string& bytes, size_t at, unsigned bit) {
  bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ 1U << bit);
}

// A database whose writer was killed, so to speak: copies of its file and its log, which holds every transaction.
class WalTest : public testing::Test {
 protected:
  WalTest() {
    fs::create_directories(directory_);
    const std::string origin = directory_ + "/origin.db";
    const auto database = *Database::Open(origin, Database::Mode::kCreate);
    Run(*database, absl::StrCat("PRAGMA page_size = ", kPageBytes, "; PRAGMA journal_mode = WAL"));
    Run(*database, "CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)");
    for (int i = 1; i < kRows; ++i) Insert(*database, i);
    before_last_ = fs::file_size(WalPathOf(origin));
    Insert(*database, kRows);
    file_ = ReadAll(origin);
    log_ = ReadAll(WalPathOf(origin));
  }
  ~WalTest() override { fs::remove_all(directory_); }

  static void Run(Database& database, const std::string& sql) {
    ASSERT_TRUE(database.Execute(sql.c_str()).ok()) << database.LastError();
  }
  static void Insert(Database& database, int row) {
    Run(database, absl::StrCat("INSERT INTO t VALUES (", row, ", '", std::string(kPageBytes / 8, 'y'), "')"));
  }

  void Put(const std::string& log) {
    std::ofstream(path_, std::ios::binary) << file_;
    std::ofstream(WalPathOf(path_), std::ios::binary) << log;
    fs::remove(path_ + "-shm");
  }
  // Of such a log.
  WalReport Check(const std::string& log) {
    Put(log);
    const absl::StatusOr<WalReport> report = CheckWal(WalPathOf(path_));
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(WalReport());
  }
  // The rows that SQLite sees with such a log; −1: it cannot read it.
  int64_t Rows(const std::string& log) {
    Put(log);
    const auto database = Database::Open(path_, Database::Mode::kRead);
    if (!database.ok()) return -1;
    Statement count(**database, "SELECT count(*) FROM t");
    const absl::StatusOr<bool> row = count.Step();
    return row.ok() && *row ? count.Integer(0) : -1;
  }
  std::string Repaired(const std::string& log, const WalReport& report) {
    Put(log);
    const std::string copy = directory_ + "/copy";
    const absl::Status written = CopyRepaired(WalPathOf(path_), report, copy);
    EXPECT_TRUE(written.ok()) << written;
    return ReadAll(copy);
  }
  int64_t frames() const { return static_cast<int64_t>((log_.size() - kWalHeaderBytes) / kFrameBytes); }

  static constexpr uint32_t kPageBytes = 1024;
  static constexpr size_t kFrameBytes = kWalFrameHeaderBytes + kPageBytes;
  static constexpr int kRows = 12;
  const std::string directory_ = absl::StrCat(testing::TempDir(), "/wal-", getpid());
  const std::string path_ = directory_ + "/run.db";
  std::string file_;
  std::string log_;
  // Bytes of the log without its last transaction.
  size_t before_last_ = 0;
};

TEST_F(WalTest, AWholeLogIsNotDamaged) {
  const WalReport report = Check(log_);
  EXPECT_FALSE(report.damaged());
  EXPECT_EQ(report.frames, frames());
  EXPECT_EQ(Repaired(log_, report), log_) << "as SQLite writes it";
  EXPECT_EQ(Rows(log_), kRows);
  EXPECT_TRUE(RefuseDamagedWal(path_).ok());
}

TEST_F(WalTest, ThereNeedBeNoLog) {
  EXPECT_FALSE(CheckWal(directory_ + "/none")->damaged());
  EXPECT_FALSE(Check("").damaged());
  EXPECT_FALSE(Check(std::string(100'000, '\0')).damaged());
  EXPECT_EQ(ReasonOf(CheckWal(directory_ + "/run.db/in-a-file").status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

// As that of a journal which is being closed: between two looks at it, it is gone.
TEST_F(WalTest, ALogThatGoesMeanwhileIsNone) {
  const std::string wal_path = WalPathOf(path_);
  std::atomic<bool> enough = false;
  std::thread writer([&] {
    while (!enough) {
      std::ofstream(wal_path, std::ios::binary) << "log";
      std::filesystem::remove(wal_path);
    }
  });
  absl::Status status;
  for (int look = 0; look < 20'000 && status.ok(); ++look) status = CheckWal(wal_path).status();
  enough = true;
  writer.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(WalTest, EveryFlippedBitIsFoundAndMostAreTurnedBack) {
  int restored = 0;
  int tried = 0;
  // A step that meets every bit of a byte and every part of a frame.
  for (size_t at = 0; at < log_.size(); at += 97) {
    std::string log = log_;
    FlipBit(log, at, at % 8);
    SCOPED_TRACE(absl::StrCat("byte ", at));
    const WalReport report = Check(log);
    ASSERT_TRUE(report.damaged());
    EXPECT_THAT(report.repairs, SizeIs(1));
    EXPECT_EQ(report.frames, frames());
    EXPECT_EQ(report.repairs.front().frame, at < kWalHeaderBytes ? 0 : 1 + (at - kWalHeaderBytes) / kFrameBytes);
    const std::string repaired = Repaired(log, report);
    ++tried;
    EXPECT_EQ(repaired.size(), log_.size());
    EXPECT_FALSE(Check(repaired).damaged());
    if (!report.repairs.front().restored) continue;
    ++restored;
    EXPECT_EQ(Rows(repaired), kRows);
    if (at >= kWalHeaderBytes) {
      EXPECT_EQ(repaired, log_);
    }
  }
  EXPECT_GT(restored, tried * 6 / 10);
}

TEST_F(WalTest, AHeaderIsMadeAgainFromWhatFollows) {
  for (size_t at = 0; at < kWalHeaderBytes; ++at) {
    std::string log = log_;
    FlipBit(log, at, at % 8);
    SCOPED_TRACE(absl::StrCat("byte ", at));
    const WalReport report = Check(log);
    ASSERT_THAT(report.repairs, SizeIs(1));
    EXPECT_EQ(report.repairs.front(), WalRepair());
    EXPECT_EQ(Rows(Repaired(log, report)), kRows);
  }
  std::string log = log_;
  log.replace(0, kWalHeaderBytes, kWalHeaderBytes, 'x');
  EXPECT_EQ(Rows(Repaired(log, Check(log))), kRows) << "also where nothing of it is left";
}

TEST_F(WalTest, ALogThatWasCutShortIsNotDamaged) {
  for (size_t size = 0; size < log_.size(); size += size < kWalHeaderBytes + 30 ? 1 : 97) {
    SCOPED_TRACE(size);
    EXPECT_FALSE(Check(log_.substr(0, size)).damaged());
  }
  // A transaction that was being written when the machine lost its power.
  std::string log = log_;
  log.replace(before_last_ + 100, log.size() - before_last_ - 100, log.size() - before_last_ - 100, '\0');
  const WalReport report = Check(log);
  EXPECT_FALSE(report.damaged());
  EXPECT_EQ(report.frames, static_cast<int64_t>((before_last_ - kWalHeaderBytes) / kFrameBytes));
}

TEST_F(WalTest, WhatIsLeftOverIsNotDamaged) {
  Put(log_);
  std::string begun_anew;
  {
    const auto database = *Database::Open(path_, Database::Mode::kWrite);
    Run(*database, "PRAGMA wal_checkpoint(RESTART)");
    Insert(*database, kRows + 1);
    file_ = ReadAll(path_);
    begun_anew = ReadAll(WalPathOf(path_));
  }
  ASSERT_EQ(begun_anew.size(), log_.size()) << "it is begun anew at its beginning";
  const WalReport report = Check(begun_anew);
  EXPECT_FALSE(report.damaged());
  EXPECT_LT(report.frames, 6);
  EXPECT_EQ(Rows(begun_anew), kRows + 1);
  for (const size_t at : {size_t{20}, kWalHeaderBytes + 10, kWalHeaderBytes + 500}) {
    std::string log = begun_anew;
    FlipBit(log, at, 3);
    const WalReport damaged = Check(log);
    EXPECT_TRUE(damaged.damaged()) << at;
    EXPECT_EQ(damaged.frames, report.frames) << "what is left over is not taken";
    EXPECT_EQ(Rows(Repaired(log, damaged)), kRows + 1);
  }
}

TEST_F(WalTest, AnUnfinishedTransactionThatWasWrittenOverInPartIsNotDamaged) {
  // Of three frames that never became a transaction, the next one has taken the first's place.
  std::string log = log_;
  WalSum sum = ParseWalFrame(absl::string_view(log_).substr(before_last_ - kFrameBytes), false).sum;
  for (int i = 0; i < 3; ++i) {
    std::string frame = log_.substr(kWalHeaderBytes, kFrameBytes);
    frame.replace(0, kWalSummedHeaderBytes, std::string("\0\0\0\2\0\0\0\0", kWalSummedHeaderBytes));
    sum = SumOn(SumOn(sum, SummedHeaderOf(frame), false), PageOf(frame), false);
    SealWalFrame(frame, PeekWalHeader(log_).salts, sum);
    log += i == 0 ? "" : frame;
  }
  EXPECT_FALSE(Check(log).damaged());
  EXPECT_EQ(Check(log).frames, frames());
}

TEST_F(WalTest, APageOfGarbageIsTakenAsItIsSoThatWhatFollowsIsSeen) {
  std::string log = log_;
  const size_t frame = 4;
  log.replace(kWalHeaderBytes + frame * kFrameBytes + kWalFrameHeaderBytes + 100, 500, 500, 'x');
  const WalReport report = Check(log);
  ASSERT_THAT(report.repairs, SizeIs(1));
  EXPECT_EQ(report.repairs.front().frame, frame + 1);
  EXPECT_FALSE(report.repairs.front().restored);
  EXPECT_EQ(report.frames, frames());
  EXPECT_EQ(Check(Repaired(log, report)).damaged(), false);
}

TEST_F(WalTest, AFrameOfGarbageEndsTheLogAndIsTold) {
  std::string log = log_;
  const size_t frame = 4;
  log.replace(kWalHeaderBytes + frame * kFrameBytes, kFrameBytes, kFrameBytes, 'x');
  const WalReport report = Check(log);
  EXPECT_TRUE(report.damaged());
  EXPECT_EQ(report.frames + report.lost_frames, frames());
  EXPECT_LE(report.frames, static_cast<int64_t>(frame));
  const absl::Status refused = RefuseDamagedWal(path_);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_THAT(
      std::string(refused.message()),
      testing::AllOf(HasSubstr("run.db-wal"), HasSubstr(absl::StrCat("of ", frames())), HasSubstr("pilothoused")));
  const std::string repaired = Repaired(log, report);
  EXPECT_EQ(repaired, log_.substr(0, repaired.size())) << "nothing is left behind that could be taken for damage";
  EXPECT_THAT(Check(repaired).repairs, IsEmpty());
}

}  // namespace
}  // namespace pilothouse
