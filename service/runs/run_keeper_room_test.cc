// A run whose journal cannot be written for a while.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "proto/support/error.h"
#include "service/journal/full_disk.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

class NoRoomTest : public RunKeeperTest {
 protected:
  // From here on nothing of this process can grow.
  void FillDisk() { full_.emplace(0); }
  void MakeRoom() { full_.reset(); }
  void Tick() {
    now_ += std::chrono::seconds(1);
    keeper_->OnTick(now_);
  }
  // As the newest snapshot for watchers has it.
  std::string ShownMessage() const { return hub_->Snapshot()->status_message(); }

 private:
  std::optional<FullDisk> full_;
};

TEST_F(NoRoomTest, SaysSoAndRecordsWhatWaitedWhenThereIsRoomAgain) {
  auto link = Train();
  FillDisk();
  ReportLoss(*link, 4, 20, 0.25);
  Tick();
  EXPECT_EQ(keeper_->run().status(), v1::RUN_STATUS_TRAINING);
  EXPECT_EQ(keeper_->run().batch(), 10) << "what is not recorded is not told";
  EXPECT_NE(ShownMessage().find("failed"), std::string::npos) << ShownMessage();
  EXPECT_NE(ShownMessage().find("The trainer trains on"), std::string::npos) << ShownMessage();
  EXPECT_EQ(link->Taken(), 3U);

  MakeRoom();
  Tick();
  EXPECT_EQ(keeper_->run().batch(), 20);
  EXPECT_EQ(ShownMessage(), "");
  EXPECT_EQ(link->Taken(), 4U);
  EXPECT_EQ((*Journal::Open(place_.journal_path()))->LoadRun()->status_message(), "");
}

TEST_F(NoRoomTest, RefusesChangesAndSaysWhatToDo) {
  auto link = Train();
  FillDisk();
  ReportLoss(*link, 4, 20, 0.25);
  Ask(EtaControl("req", 0.5));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_NE(outcomes_[0].status().message().find("ask again with the same request_id"), absl::string_view::npos);
  EXPECT_TRUE(link->Controls().empty());

  MakeRoom();
  Tick();
  Ask(EtaControl("req", 0.5));
  EXPECT_EQ(link->Controls().size(), 1U);
}

TEST_F(NoRoomTest, ForgetsThatNoticeWhenTheConnectionBreaks) {
  auto link = Train();
  FillDisk();
  ReportLoss(*link, 4, 20, 0.25);
  MakeRoom();
  keeper_->OnDetach(link.get(), now_);
  EXPECT_EQ(ShownMessage(), "");
  link = Attach(4, true);
  ReportLoss(*link, 4, 20, 0.25);
  EXPECT_EQ(keeper_->run().batch(), 20);
}

}  // namespace
}  // namespace pilothouse::service
