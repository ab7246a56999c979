// What a run does with controls, reports and connections.
#include "service/runs/run_keeper.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/support/error.h"
#include "service/runs/run_keeper_testing.h"

namespace pilothouse::service {
namespace {

std::string PluginNames(const v1::Run& run) {
  std::string names;
  for (const v1::PluginStatus& plugin : run.plugins()) {
    names += (names.empty() ? "" : " ") + plugin.spec().name();
  }
  return names;
}

TEST_F(RunKeeperTest, ARunHasStartedWhenItsTrainerReportsThatItTrainsOrIsIdle) {
  Launch();
  auto link = Attach(0, false);
  ASSERT_TRUE(link->sent.at(0).has_welcome());
  Prepare(*link);
  EXPECT_TRUE(started_.empty());
  ReportStatus(*link, 1, v1::RUN_STATUS_IDLE);
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(started_[0]->status(), v1::RUN_STATUS_IDLE);
  EXPECT_EQ(started_[0]->facts().parameters(), 9);
  EXPECT_EQ(link->Taken(), 1U);
}

TEST_F(RunKeeperTest, AWrongTokenIsTurnedAway) {
  Launch();
  auto link = std::make_shared<FakeLink>();
  v1::Hello hello;
  hello.set_token("guess");
  keeper_->OnAttach(link, hello, now_);
  EXPECT_TRUE(link->closed);
  EXPECT_FALSE(link->close_status.ok());
  EXPECT_TRUE(link->sent.empty());
}

TEST_F(RunKeeperTest, AControlIsAnsweredOnlyAfterItIsInTheJournal) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  EXPECT_TRUE(outcomes_.empty());
  ASSERT_EQ(link->Controls().size(), 1U);
  ReportControl(*link, 2, control, 17);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0]->receipt.applied_batch(), 17);
  EXPECT_EQ(outcomes_[0]->receipt.control_id(), 2U);
  const auto recorded = (*JournalReader::Open(place_.journal_path()))->FindControl("a");
  ASSERT_TRUE(recorded.ok() && recorded->has_value());
  EXPECT_EQ((*recorded)->receipt.applied_batch(), 17);
}

TEST_F(RunKeeperTest, TheSameRequestIdGivesTheSameReceiptAndNoSecondChange) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  Ask(control);
  EXPECT_EQ(link->Controls().size(), 1U);
  ReportControl(*link, 2, control, 17);
  Ask(control);
  EXPECT_EQ(link->Controls().size(), 1U);
  ASSERT_EQ(outcomes_.size(), 3U);
  for (const auto& outcome : outcomes_) EXPECT_EQ(outcome->receipt.applied_batch(), 17);
  Ask(EtaControl("a", 0.6));
  EXPECT_EQ(ReasonOf(outcomes_.back().status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(RunKeeperTest, TheSameRequestIdGivesTheSameReceiptAfterARestart) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  ReportControl(*link, 2, control, 17);
  Restart();
  Ask(control);
  ASSERT_EQ(outcomes_.size(), 2U);
  ASSERT_TRUE(outcomes_[1].ok()) << outcomes_[1].status();
  EXPECT_EQ(outcomes_[1]->receipt.SerializeAsString(), outcomes_[0]->receipt.SerializeAsString());
}

TEST_F(RunKeeperTest, AStopIsAnsweredWhenTheRunHasStoppedNotWhenItWasAsked) {
  auto link = Begin();
  const v1::Control stop = StopControl("s");
  Ask(stop);
  ReportControl(*link, 2, stop, 30);
  EXPECT_TRUE(outcomes_.empty());
  ReportStatus(*link, 3, v1::RUN_STATUS_STOPPING, 30);
  EXPECT_TRUE(outcomes_.empty());
  ReportStatus(*link, 4, v1::RUN_STATUS_STOPPED, 30);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0]->final_batch, 30);
  EXPECT_TRUE(keeper_->ended());
  EXPECT_FALSE(keeper_->done()) << "its process is still there";
  EXPECT_TRUE(hub_->After(0, 1).closed);
}

TEST_F(RunKeeperTest, ReportsThatComeAgainAreJournaledOnce) {
  auto link = Begin();
  ReportLoss(*link, 2, 1, 0.7);
  keeper_->OnDetach(link.get(), now_);
  link = Attach(3, true);
  EXPECT_EQ(link->sent.at(0).welcome().reports_taken(), 2U);
  ReportLoss(*link, 2, 1, 0.7);
  ReportLoss(*link, 3, 2, 0.6);
  int losses = 0;
  uint64_t sequence = 0;
  for (const auto& event : Events()) {
    EXPECT_EQ(event->sequence(), ++sequence);
    losses += event->has_loss() ? 1 : 0;
  }
  EXPECT_EQ(losses, 2);
}

TEST_F(RunKeeperTest, NoControlIsForwardedBeforeTheBacklogIsJournaled) {
  auto link = Begin();
  const v1::Control control = EtaControl("a", 0.5);
  Ask(control);
  // Applied, reported, but the connection broke before the report arrived.
  keeper_->OnDetach(link.get(), now_);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(ReasonOf(outcomes_[0].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  link = Attach(2, true);
  Ask(control);
  EXPECT_EQ(ReasonOf(outcomes_[1].status()), v1::ERROR_REASON_TRAINER_UNAVAILABLE);
  ReportControl(*link, 2, control, 17);
  Ask(control);
  EXPECT_EQ(outcomes_[2]->receipt.applied_batch(), 17);
  EXPECT_TRUE(link->Controls().empty());
}

TEST_F(RunKeeperTest, OneMessageIsReadAtATime) {
  auto link = Begin();
  EXPECT_EQ(link->reads, 3);
  ReportLoss(*link, 2, 1, 0.7);
  EXPECT_EQ(link->reads, 4);
}

TEST_F(RunKeeperTest, TheReceiptOfAPluginSaysWhatItIsCalledNow) {
  auto link = Begin();
  v1::Control attach;
  attach.set_request_id("a");
  attach.mutable_change()->mutable_attach_plugin()->mutable_plugin()->set_kind("validate");
  Ask(attach);
  v1::AttachRequest message;
  v1::Report* report = message.mutable_reports()->add_reports();
  report->set_number(2);
  *report->mutable_event()->mutable_control()->mutable_change() = attach.change();
  report->mutable_event()->mutable_control()->set_request_id("a");
  report->mutable_event()->mutable_control()->set_plugin("validate-2");
  Deliver(*link, message);
  Ask(attach);
  ASSERT_EQ(outcomes_.size(), 2U);
  for (const auto& outcome : outcomes_) EXPECT_EQ(outcome->receipt.plugin(), "validate-2");
}

TEST_F(RunKeeperTest, KnowsItsPluginsAsTheLastReportThatChangedThemSaysAlsoAfterARestart) {
  auto link = Begin();
  ReportPlugins(*link, 2, {"a", "b"});
  EXPECT_EQ(PluginNames(hub_->Run()), "a b");
  ReportLoss(*link, 3, 1, 0.5);
  EXPECT_EQ(PluginNames(hub_->Run()), "a b") << "a report that says nothing of plugins changes nothing";
  ReportPlugins(*link, 4, {"b"});
  Restart();
  EXPECT_EQ(PluginNames(hub_->Run()), "b");
  link = Attach(0, true);
  ReportPlugins(*link, 5, {});
  EXPECT_EQ(PluginNames(hub_->Run()), "");
}

}  // namespace
}  // namespace pilothouse::service
