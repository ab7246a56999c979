#include "service/journal/journal.h"

#include <cmath>
#include <limits>
#include <thread>

#include "proto/journal/sqlite.h"
#include "proto/support/error.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JournalTest : public testing::Test {
 protected:
  JournalTest() : path_(directory_.File(kJournalFile)) {
    auto journal = Journal::Create(path_, AnyRun());
    EXPECT_TRUE(journal.ok()) << journal.status();
    if (journal.ok()) journal_ = *std::move(journal);
  }

  absl::Status Append(std::vector<JournalEntry> entries, Durability durability = Durability::kUnsynced) {
    return journal_->Append(entries, durability);
  }

  std::unique_ptr<JournalReader> Reader() {
    auto reader = JournalReader::Open(path_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  TemporaryDirectory directory_;
  const std::string path_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalTest, BeginsWithARunThatIsStartingAndHasNoLoss) {
  const absl::StatusOr<v1::Run> run = journal_->LoadRun();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->run_id(), "digits");
  EXPECT_EQ(run->status(), v1::RUN_STATUS_STARTING);
  EXPECT_EQ(run->loss(), -1);
  EXPECT_EQ(run->spec().seed(), 7u);
  EXPECT_EQ(run->create_time().nanos(), 123'000'000);
  EXPECT_EQ(journal_->Meta(kMetaStartRequestId)->value(), "start-1");
  EXPECT_EQ(journal_->last_sequence(), 0u);
}

TEST_F(JournalTest, RefusesToBeCreatedTwice) {
  const auto again = Journal::Create(path_, AnyRun());
  EXPECT_EQ(ReasonOf(again.status()), v1::ERROR_REASON_JOURNAL_FAILED);
}

TEST_F(JournalTest, GivesBackEveryEventAsItWas) {
  const std::vector<v1::Event> events = {StatusEvent(1, v1::RUN_STATUS_IDLE),
                                         LossEvent(2, std::numeric_limits<double>::quiet_NaN()),
                                         LossEvent(3, std::numeric_limits<double>::infinity()),
                                         EtaEvent(4, "a", 0.01),
                                         StateEvent(5, 100, true),
                                         PluginOutputEvent(6, 100),
                                         PluginFailureEvent(7)};
  for (const v1::Event& event : events) ASSERT_TRUE(Append({{event, event.sequence()}}).ok());
  const auto page = Reader()->Read(0, EventKindSet::All(), 100, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(page->events[i]->SerializeAsString(), events[i].SerializeAsString());
  }
  EXPECT_EQ(page->through, 7u);
}

TEST_F(JournalTest, KeepsTheRunAndItsPositionAcrossReopening) {
  v1::Run now = *journal_->LoadRun();
  now.set_status(v1::RUN_STATUS_TRAINING);
  now.set_batch(40);
  now.set_resume_target(100);
  now.set_directory("/elsewhere");
  const std::vector<JournalEntry> entries = {{LossEvent(1, 0.5), 11}, {LossEvent(2, 0.4), 12}};
  ASSERT_TRUE(journal_->Append(entries, Durability::kUnsynced, &now).ok());
  journal_.reset();

  const auto reopened = Journal::Open(path_);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ((*reopened)->last_sequence(), 2u);
  EXPECT_EQ((*reopened)->last_report(), 12u);
  v1::Run expected = now;
  expected.set_last_sequence(2);
  expected.clear_directory();
  EXPECT_THAT(*(*reopened)->LoadRun(), EqualsProto(expected));
}

TEST_F(JournalTest, GivesTheSameReceiptForTheSameRequestId) {
  ASSERT_TRUE(Append({{LossEvent(1, 1), 1}, {EtaEvent(2, "req", 0.03), 2}}, Durability::kSynced).ok());
  v1::Receipt expected;
  expected.set_control_id(2);
  expected.set_request_id("req");
  expected.set_applied_batch(2);
  expected.set_value(0.03);
  expected.mutable_applied_time()->set_nanos(2'000'000);
  const auto from_writer = journal_->FindControl("req");
  const auto from_reader = Reader()->FindControl("req");
  ASSERT_TRUE(from_writer.ok() && from_writer->has_value());
  ASSERT_TRUE(from_reader.ok() && from_reader->has_value());
  EXPECT_THAT((*from_writer)->receipt, EqualsProto(expected));
  EXPECT_THAT((*from_reader)->receipt, EqualsProto(expected));
  EXPECT_EQ((*from_writer)->report.change().knob().name(), "eta");
  EXPECT_EQ(*journal_->FindControl("other"), std::nullopt);
}

TEST_F(JournalTest, NamesThePluginInTheReceiptAlsoWhereTheChangeDoesNot) {
  v1::Change change;
  change.mutable_attach_plugin()->mutable_plugin()->set_kind("validate");
  ASSERT_TRUE(Append({{PluginControlEvent(1, "req", change), 1}}, Durability::kSynced).ok());
  const auto known = Reader()->FindControl("req");
  ASSERT_TRUE(known.ok() && known->has_value());
  EXPECT_EQ((*known)->receipt.plugin(), "held-out");
  EXPECT_EQ((*known)->receipt.value(), 3);
}

TEST_F(JournalTest, RecordsARequestIdOnce) {
  ASSERT_TRUE(Append({{EtaEvent(1, "req", 0.03), 1}}).ok());
  const absl::Status second = Append({{LossEvent(2, 1), 2}, {EtaEvent(3, "req", 0.04), 3}});
  EXPECT_EQ(ReasonOf(second), v1::ERROR_REASON_INTERNAL) << second;
  EXPECT_EQ(journal_->last_sequence(), 1u);
  EXPECT_TRUE(Append({{LossEvent(2, 1), 2}}).ok());
}

TEST_F(JournalTest, TakesAnyNumberOfControlsWithoutRequestId) {
  EXPECT_TRUE(Append({{EtaEvent(1, "", 0.03), 1}, {EtaEvent(2, "", 0.04), 2}}).ok());
}

TEST_F(JournalTest, RefusesHolesInTheSequence) {
  for (const uint64_t wrong : {0, 2, 3}) {
    EXPECT_EQ(ReasonOf(Append({{LossEvent(wrong, 1), 1}})), v1::ERROR_REASON_INTERNAL) << wrong;
  }
  EXPECT_EQ(ReasonOf(Append({{LossEvent(1, 1), 1}, {LossEvent(1, 1), 2}})), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(ReasonOf(Append({{BareEvent(1), 1}})), v1::ERROR_REASON_INTERNAL);
  EXPECT_TRUE(Append({{LossEvent(1, 1), 1}, {LossEvent(2, 1), 2}}).ok());
}

TEST_F(JournalTest, KeepsMetaValuesOfAnyBytes) {
  const std::string token("\0a\xff", 3);
  ASSERT_TRUE(journal_->SetMeta("token", token).ok());
  ASSERT_TRUE(journal_->SetMeta("empty", "").ok());
  EXPECT_EQ(*journal_->Meta("token"), token);
  EXPECT_EQ(*Reader()->Meta("empty"), "");
  EXPECT_EQ(*journal_->Meta("unknown"), std::nullopt);
}

TEST_F(JournalTest, ReadsPagesOfTheKindsAskedFor) {
  std::vector<JournalEntry> entries;
  for (uint64_t i = 1; i <= 20; ++i) {
    entries.push_back({i % 5 == 0 ? EtaEvent(i, std::to_string(i), 0.1) : LossEvent(i, 1), i});
  }
  ASSERT_TRUE(Append(entries).ok());
  const auto reader = Reader();

  const auto controls = reader->Read(5, {v1::EVENT_KIND_CONTROL}, 2, 1 << 20);
  ASSERT_TRUE(controls.ok()) << controls.status();
  EXPECT_THAT(SequencesOf(controls->events), ElementsAre(10, 15));
  EXPECT_EQ(controls->through, 19u);
  EXPECT_EQ(controls->last_sequence, 20u);

  const auto losses = reader->Read(16, {v1::EVENT_KIND_LOSS}, 100, 1 << 20);
  EXPECT_THAT(SequencesOf(losses->events), ElementsAre(17, 18, 19));
  EXPECT_EQ(losses->through, 20u);

  const auto none = reader->Read(0, {v1::EVENT_KIND_STATE}, 100, 1 << 20);
  EXPECT_THAT(none->events, IsEmpty());
  EXPECT_EQ(none->through, 20u);
}

TEST_F(JournalTest, BoundsAPageByItsBytesButGivesAtLeastOneEvent) {
  ASSERT_TRUE(
      Append({{StateEvent(1, 1000, true), 1}, {StateEvent(2, 1000, true), 2}, {StateEvent(3, 5000, true), 3}}).ok());
  const auto reader = Reader();
  EXPECT_THAT(SequencesOf(reader->Read(0, EventKindSet::All(), 100, 2500)->events), ElementsAre(1, 2));
  EXPECT_THAT(SequencesOf(reader->Read(2, EventKindSet::All(), 100, 2500)->events), ElementsAre(3));
}

TEST_F(JournalTest, CanBeReadWhileItIsWritten) {
  constexpr uint64_t kEvents = 2000;
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kEvents; ++i) ASSERT_TRUE(Append({{LossEvent(i, 1), i}}).ok());
  });
  const auto reader = Reader();
  uint64_t after = 0;
  while (after < kEvents) {
    const auto page = reader->Read(after, EventKindSet::All(), 64, 1 << 20);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& event : page->events) ASSERT_EQ(event->sequence(), ++after);
    ASSERT_EQ(page->through, after);
  }
  writer.join();
}

TEST_F(JournalTest, ShowsItsContentToThePersonWhoOpensItWithAShell) {
  v1::Run now = *journal_->LoadRun();
  now.set_status(v1::RUN_STATUS_TRAINING);
  const std::vector<JournalEntry> entries = {{LossEvent(1, std::nan("")), 1}, {EtaEvent(2, "req", 0.03), 2}};
  ASSERT_TRUE(journal_->Append(entries, Durability::kSynced, &now).ok());
  const auto database = *Database::Open(path_, Database::Mode::kRead);
  Statement select(
      *database,
      "SELECT (SELECT status FROM run), events.kind, events.value IS NULL, name, previous_value * 10, origin, note"
      " FROM events LEFT JOIN controls ON control_id = sequence ORDER BY sequence");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Bytes(0), "TRAINING");
  EXPECT_EQ(select.Bytes(1), "loss");
  EXPECT_EQ(select.Integer(2), 1);
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Bytes(1), "control");
  EXPECT_EQ(select.Bytes(3), "eta");
  EXPECT_EQ(select.Integer(4), 1);
  EXPECT_EQ(select.Bytes(5), "ana@lab");
  EXPECT_EQ(select.Bytes(6), "too fast");
}

TEST_F(JournalTest, ShowsWhatWasDoneToPluginsAndByThem) {
  v1::Change attach;
  attach.mutable_attach_plugin();
  v1::Change detach;
  detach.mutable_detach_plugin();
  v1::Change reschedule;
  reschedule.mutable_reschedule_plugin();
  v1::Change parameters;
  parameters.mutable_parameters();
  uint64_t sequence = 0;
  for (const v1::Change& change : {attach, detach, reschedule, parameters}) {
    ++sequence;
    ASSERT_TRUE(Append({{PluginControlEvent(sequence, "", change), sequence}}).ok());
  }
  ASSERT_TRUE(Append({{PluginOutputEvent(5), 5}}).ok());
  const auto database = *Database::Open(path_, Database::Mode::kRead);
  Statement controls(*database, "SELECT group_concat(kind || ':' || name, ' ') FROM controls");
  ASSERT_TRUE(*controls.Step());
  EXPECT_EQ(controls.Bytes(0),
            "attach_plugin:held-out detach_plugin:held-out reschedule_plugin:held-out parameters:held-out");
  Statement output(*database, "SELECT kind, value IS NULL FROM events WHERE sequence = 5");
  ASSERT_TRUE(*output.Step());
  EXPECT_EQ(output.Bytes(0), "plugin");
  EXPECT_EQ(output.Integer(1), 1);
}

}  // namespace
}  // namespace pilothouse::service
