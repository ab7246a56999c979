// What a trainer left that had something to report when no service was there.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/journal/unrecorded.h"
#include "proto/support/error.h"
#include "proto/support/exit_code.h"
#include "service/runs/left_reports.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

class LeftReportsTest : public RunKeeperTest {
 protected:
  std::string Path() const { return place_.directory + "/" + kUnrecordedFile; }
  void Leave(const v1::Reports& reports) { std::ofstream(Path(), std::ios::binary) << PackUnrecorded(reports); }
  static void AddLoss(v1::Reports& reports, uint64_t number, int64_t batch) {
    v1::Report* report = reports.add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_loss()->set_value(0.5);
  }
  static void AddStatus(v1::Reports& reports, uint64_t number, int64_t batch, v1::RunStatus status) {
    v1::Report* report = reports.add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_status()->set_status(status);
  }
  // Of what the present service has journaled.
  std::vector<int64_t> LossBatches() const {
    std::vector<int64_t> batches;
    for (const auto& event : hub_->RingAfter(0).events) {
      if (event->has_loss()) batches.push_back(event->batch());
    }
    return batches;
  }
  bool Says(const std::string& words) const { return keeper_->run().status_message().find(words) != std::string::npos; }
  bool IsLeft() const { return std::filesystem::exists(Path()); }
};

TEST_F(LeftReportsTest, AreJournaledOnceBeforeAnotherTrainerIsStarted) {
  auto link = Begin();
  ReportLoss(*link, 2, 10, 0.5);
  v1::Reports left;
  // The service had this one, and could not say so any more.
  AddLoss(left, 2, 10);
  AddLoss(left, 3, 20);
  AddLoss(left, 4, 30);
  Leave(left);
  Restart();
  TickUntil([this] { return !IsLeft(); });
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  EXPECT_EQ(LossBatches(), (std::vector<int64_t>{20, 30}));
  link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).reports_taken(), 4U);
  EXPECT_EQ(WelcomeOf(*link).seen_batch(), 30);
}

TEST_F(LeftReportsTest, OfAChildAreTaken) {
  auto link = Begin();
  v1::Reports left;
  AddLoss(left, 2, 20);
  Leave(left);
  Die(*link);
  EXPECT_EQ(LossBatches(), (std::vector<int64_t>{20}));
  EXPECT_FALSE(IsLeft());
}

TEST_F(LeftReportsTest, TellHowARunEnded) {
  auto link = Begin();
  v1::Reports left;
  AddStatus(left, 2, 70, v1::RUN_STATUS_STOPPED);
  Leave(left);
  Restart();
  TickUntilEnded();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(keeper_->run().batch(), 70);
  EXPECT_TRUE(keeper_->done());
}

TEST_F(LeftReportsTest, OfATrainerThatLivesAreItsOwnToReport) {
  auto link = Begin();
  v1::Reports left;
  AddLoss(left, 2, 20);
  Leave(left);
  keeper_->OnDetach(link.get(), now_);
  for (int i = 0; i < 10; ++i) keeper_->OnTick(now_);
  EXPECT_TRUE(LossBatches().empty());
  EXPECT_TRUE(IsLeft());
}

TEST_F(LeftReportsTest, ThatAreDamagedAreNamedAndTheRunGoesOnFromTheJournal) {
  auto link = Begin();
  v1::Reports left;
  AddLoss(left, 2, 20);
  std::string content = PackUnrecorded(left);
  content.back() ^= 1;
  std::ofstream(Path(), std::ios::binary) << content;
  Restart();
  TickUntil([this] { return !IsLeft(); });
  bool named = false;
  for (const auto& event : hub_->RingAfter(0).events) {
    named = named || event->status().message().find(kUnrecordedFile) != std::string::npos;
  }
  EXPECT_TRUE(named);
  EXPECT_TRUE(std::filesystem::exists(Path() + ".damaged-1"));
  link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).reports_taken(), 1U);
}

TEST_F(LeftReportsTest, ThatDoNotJoinTheJournalAreNotOfTheRunThatItKnows) {
  auto link = Begin();
  v1::Reports left;
  // The journal had reports 2 to 4, or the trainer would have kept them.
  AddLoss(left, 5, 40);
  Leave(left);
  Restart();
  TickUntil([this] { return !IsLeft(); });
  EXPECT_TRUE(LossBatches().empty());
  EXPECT_TRUE(std::filesystem::exists(Path() + ".damaged-1"));
  EXPECT_NE(keeper_->run().status_message().find("reports 2 to 4"), std::string::npos)
      << keeper_->run().status_message();
  link = ComeAgain();
  EXPECT_EQ(WelcomeOf(*link).reports_taken(), 1U);
}

TEST_F(LeftReportsTest, OfATrainerOfAFormerServiceSayHowItEnded) {
  auto link = Begin();
  std::ofstream(place_.lock_path()) << "123\nexit code " << kExitSuspended << "\n";
  Restart();
  TickUntil([this] { return keeper_->run().status_message().rfind("The trainer ended, as it was told to", 0) == 0; });
  EXPECT_EQ(keeper_->run().restarts(), 0);
}

TEST_F(LeftReportsTest, ThatCannotBeReadJustNowAreWaitedFor) {
  auto link = Begin();
  Restart();
  // What stands in its place cannot be read as a file.
  std::filesystem::create_directory(Path());
  TickUntil([this] { return keeper_->run().status_message().find(kUnrecordedFile) != std::string::npos; });
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_LOST);
  const uint64_t told = keeper_->run().last_sequence();
  for (int i = 0; i < 10; ++i) keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().last_sequence(), told) << "told once";
  std::filesystem::remove(Path());
  v1::Reports left;
  AddLoss(left, 2, 20);
  Leave(left);
  TickUntil([this] { return !IsLeft(); });
  EXPECT_EQ(LossBatches(), (std::vector<int64_t>{20}));
}

TEST_F(LeftReportsTest, ThatAreLostAreToldOnceAndStayInTheStatus) {
  auto link = Begin();
  ReportLoss(*link, 2, 10, 0.5);
  v1::Reports left;
  AddLoss(left, 5, 40);
  Leave(left);
  Restart();
  TickUntil([this] { return !IsLeft(); });
  link = ComeAgain();
  Prepare(*link);
  v1::AttachRequest heartbeat;
  heartbeat.mutable_heartbeat()->set_batch(4);
  Deliver(*link, heartbeat);
  EXPECT_TRUE(Says("at batch 4 of 10")) << keeper_->run().status_message();
  EXPECT_TRUE(Says("reports 3 to 4")) << keeper_->run().status_message();
  // The same disk lets the next file be read by nobody.
  std::filesystem::create_directory(Path());
  Die(*link);
  TickUntil([this] { return Says("cannot be read"); });
  EXPECT_TRUE(Says("reports 3 to 4")) << keeper_->run().status_message();
  const uint64_t told = keeper_->run().last_sequence();
  for (int i = 0; i < 10; ++i) keeper_->OnTick(now_);
  EXPECT_EQ(keeper_->run().last_sequence(), told);
}

TEST_F(LeftReportsTest, ThatAreLostAreStillToldOfARunThatEndedThen) {
  auto link = Begin();
  v1::Reports left;
  AddLoss(left, 5, 40);
  Leave(left);
  max_restarts_ = 0;
  Restart();
  TickUntilEnded();
  EXPECT_TRUE(Says("reports 2 to 4")) << keeper_->run().status_message();
  keeper_ = nullptr;
  const auto journal = *Journal::Open(place_.journal_path());
  EXPECT_NE(journal->LoadRun()->status_message().find("reports 2 to 4"), std::string::npos);
}

TEST_F(LeftReportsTest, OfATrainerThatWasToldToEndAreFollowedByAnotherTrainerHoweverOften) {
  place_.trainer_command = {"/bin/sh", "-c", absl::StrCat("exit ", kExitSuspended)};
  max_restarts_ = 0;
  keeper_ = nullptr;
  Make(*Journal::Open(place_.journal_path()));
  auto link = Begin();
  for (int i = 0; i < 10; ++i) {
    keeper_->OnDetach(link.get(), now_);
    TickUntil([this] { return keeper_->run().status() == v1::RUN_STATUS_LOST; });
    EXPECT_EQ(keeper_->run().status_message().rfind("The trainer ended, as it was told to", 0), 0U)
        << keeper_->run().status_message();
    link = ComeAgain();
    Prepare(*link);
    ReportStatus(*link, WelcomeOf(*link).reports_taken() + 1, v1::RUN_STATUS_IDLE);
    ASSERT_EQ(keeper_->run().status(), v1::RUN_STATUS_IDLE);
  }
  EXPECT_EQ(keeper_->run().restarts(), 0);
}

TEST_F(LeftReportsTest, ThatTheJournalLostBeforeALivingTrainerReturnedAreToldAndACheckpointIsMade) {
  auto link = Begin();
  ReportLoss(*link, 2, 10, 0.5);
  // As if a service had taken reports up to 5, whose journal has lost its end since.
  Restart();
  link = Attach(6, true);
  ReportLoss(*link, 6, 40, 0.25);
  EXPECT_TRUE(Says("before batch 40 (reports 3 to 5)")) << Message();
  EXPECT_EQ(LossBatches(), (std::vector<int64_t>{40})) << "the run trains on";
  ReportStatus(*link, 7, v1::RUN_STATUS_TRAINING, 50);
  EXPECT_TRUE(Says("before batch 40 (reports 3 to 5)")) << Message();
  keeper_->OnTick(now_);
  keeper_->OnTick(now_);
  ASSERT_EQ(link->Controls().size(), 1U);
  EXPECT_TRUE(link->Controls()[0].change().has_checkpoint());
  EXPECT_EQ(link->Taken(), 7U);
}

TEST_F(LeftReportsTest, AreNotMissedWhereTheJournalHadNoRoomForThemOrAConnectionBroke) {
  auto link = Train();
  ReportLoss(*link, 4, 20, 0.5);
  keeper_->OnDetach(link.get(), now_);
  link = Attach(5, true);
  ReportLoss(*link, 4, 20, 0.5);
  ReportLoss(*link, 5, 30, 0.5);
  EXPECT_FALSE(Says("lost")) << Message();
  EXPECT_EQ(LossBatches(), (std::vector<int64_t>{10, 20, 30}));
}

TEST_F(LeftReportsTest, AreNoneWhereThereIsNoFile) {
  const absl::StatusOr<v1::Reports> left = ReadLeftReports(place_.directory, 0);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->reports_size(), 0);
}

TEST_F(LeftReportsTest, ThatWereCutOffAreDamaged) {
  v1::Reports left;
  AddLoss(left, 2, 20);
  const std::string content = PackUnrecorded(left);
  for (size_t size = 0; size < content.size(); ++size) {
    std::ofstream(Path(), std::ios::binary) << content.substr(0, size);
    EXPECT_EQ(ReasonOf(ReadLeftReports(place_.directory, 0).status()), v1::ERROR_REASON_DATA_MALFORMED) << size;
  }
}

}  // namespace
}  // namespace pilothouse::service
