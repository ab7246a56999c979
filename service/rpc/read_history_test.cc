#include "service/rpc/read_history.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/journal/sqlite.h"
#include "proto/support/error.h"
#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::Event At(v1::Event event, int64_t batch) {
  event.set_batch(batch);
  return event;
}

v1::Event RewindEvent(uint64_t sequence, int64_t from, int64_t to, const std::string& branch) {
  v1::Event event = At(BareEvent(sequence), from);
  event.mutable_control()->mutable_change()->mutable_rewind()->set_batch(to);
  event.mutable_control()->set_value(static_cast<double>(to));
  event.mutable_control()->set_branch(branch);
  return event;
}

v1::Event CheckpointEvent(uint64_t sequence, int64_t batch, int64_t line, int64_t reported_at) {
  v1::Event event = At(BareEvent(sequence), reported_at);
  event.mutable_checkpoint()->set_batch(batch);
  event.mutable_checkpoint()->set_line(line);
  return event;
}

class ReadHistoryTest : public testing::Test {
 protected:
  void Append(const v1::Event& event) {
    ASSERT_TRUE(journal_->Append({{event, event.sequence()}}, Durability::kUnsynced).ok());
  }
  void AppendLosses(uint64_t first, uint64_t last) {
    std::vector<JournalEntry> entries;
    for (uint64_t i = first; i <= last; ++i) entries.push_back({LossEvent(i, std::sin(static_cast<double>(i))), i});
    ASSERT_TRUE(journal_->Append(entries, Durability::kUnsynced).ok());
  }

  absl::StatusOr<v1::ReadHistoryResponse> Ask(const v1::ReadHistoryRequest& request) {
    absl::StatusOr<HistoryQuery> query = ParseHistoryRequest(request);
    if (!query.ok()) return query.status();
    HistoryRead read(path_, *std::move(query), cache_);
    for (;;) {
      const absl::StatusOr<bool> complete = read.Advance();
      if (!complete.ok()) return complete.status();
      if (*complete) return read.TakeResponse();
    }
  }
  // All pages.
  std::vector<uint64_t> Sequences(v1::ReadHistoryRequest request) {
    std::vector<uint64_t> sequences;
    do {
      const auto response = Ask(request);
      EXPECT_TRUE(response.ok()) << response.status();
      if (!response.ok()) break;
      for (const v1::Event& event : response->events()) sequences.push_back(event.sequence());
      request.set_page_token(response->next_page_token());
    } while (!request.page_token().empty());
    return sequences;
  }
  std::vector<uint64_t> OfBranch(const std::string& branch) {
    v1::ReadHistoryRequest request;
    request.set_branch(branch);
    return Sequences(request);
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File(kJournalFile);
  std::unique_ptr<Journal> journal_ = *Journal::Create(path_, AnyRun());
  ThinnedLossesCache cache_;
};

TEST_F(ReadHistoryTest, GivesEverythingButStatesPageByPage) {
  AppendLosses(1, 5);
  Append(StateEvent(6, 10, true));
  Append(EtaEvent(7, "req", 0.1));
  Append(PluginOutputEvent(8));
  v1::ReadHistoryRequest request;
  request.set_page_size(3);
  const auto first = Ask(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->events_size(), 3);
  EXPECT_NE(first->next_page_token(), "");
  EXPECT_EQ(first->last_sequence(), 8u);
  EXPECT_THAT(Sequences(request), ElementsAre(1, 2, 3, 4, 5, 7, 8));
}

TEST_F(ReadHistoryTest, ChoosesByKindAndBatches) {
  AppendLosses(1, 10);
  Append(EtaEvent(11, "req", 0.1));
  Append(CheckpointEvent(12, 9, 0, 12));
  v1::ReadHistoryRequest request;
  request.set_first_batch(9);
  request.set_last_batch(11);
  EXPECT_THAT(Sequences(request), ElementsAre(9, 10, 11, 12));
  request.add_kinds(v1::EVENT_KIND_CONTROL);
  EXPECT_THAT(Sequences(request), ElementsAre(11));
  request.set_first_batch(12);
  request.set_last_batch(12);
  EXPECT_THAT(Sequences(request), IsEmpty());
}

TEST_F(ReadHistoryTest, GivesAnEmptyRunsHistory) {
  const auto response = Ask({});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->events_size(), 0);
  EXPECT_EQ(response->next_page_token(), "");
}

// 1–6 at batches 1–6; 7 takes the run back to 3; 8–9 at batches 4–5; 10 takes it back to 2; 11 at batch 3.
class RewoundHistoryTest : public ReadHistoryTest {
 protected:
  void SetUp() override {
    AppendLosses(1, 6);
    Append(RewindEvent(7, 6, 3, "first"));
    Append(At(LossEvent(8, 1), 4));
    Append(At(LossEvent(9, 1), 5));
    Append(RewindEvent(10, 5, 2, "second"));
    Append(At(LossEvent(11, 1), 3));
  }
};

TEST_F(RewoundHistoryTest, FollowsThePresentLine) { EXPECT_THAT(OfBranch(""), ElementsAre(1, 2, 10, 11)); }

TEST_F(RewoundHistoryTest, FollowsABranchAsItWas) {
  EXPECT_THAT(OfBranch("first"), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(OfBranch("second"), ElementsAre(1, 2, 3, 7, 8, 9));
}

TEST_F(RewoundHistoryTest, GivesEverythingInTheOrderItHappened) {
  EXPECT_THAT(OfBranch("*"), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
}

TEST_F(RewoundHistoryTest, CountsACheckpointToTheLineWhoseStateItHolds) {
  // Written late: one of the branch "first", and one of the present line.
  Append(CheckpointEvent(12, 6, 0, 3));
  Append(CheckpointEvent(13, 2, 0, 3));
  Append(CheckpointEvent(14, 3, 2, 3));
  EXPECT_THAT(OfBranch(""), ElementsAre(1, 2, 10, 11, 13, 14));
  EXPECT_THAT(OfBranch("first"), ElementsAre(1, 2, 3, 4, 5, 6, 12, 13));
  EXPECT_THAT(OfBranch("second"), ElementsAre(1, 2, 3, 7, 8, 9, 13));
}

TEST_F(RewoundHistoryTest, NamesTheBranchesThereAreIfThereIsNoSuchBranch) {
  v1::ReadHistoryRequest request;
  request.set_branch("third");
  const absl::Status error = Ask(request).status();
  EXPECT_EQ(ReasonOf(error), v1::ERROR_REASON_BRANCH_NOT_FOUND);
  EXPECT_EQ(ToError(error).metadata().at("known"), "first, second");
  EXPECT_EQ(
      error.message(),
      "The run has no branch \"third\"; it has first, second. Its present line has no name: leave the branch out.");
}

TEST_F(RewoundHistoryTest, ShowsAllPagesAsTheRunWasWhenTheFirstWasRead) {
  v1::ReadHistoryRequest request;
  request.set_page_size(2);
  const auto first = Ask(request);
  ASSERT_TRUE(first.ok()) << first.status();
  Append(RewindEvent(12, 3, 1, "third"));
  request.set_page_token(first->next_page_token());
  const auto second = Ask(request);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->events_size(), 2);
  EXPECT_EQ(second->events(0).sequence(), 10u);
  EXPECT_EQ(second->events(1).sequence(), 11u);
  EXPECT_EQ(second->last_sequence(), 11u);
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(ReadHistoryTest, ThinsLossesAndNothingElse) {
  for (uint64_t sequence = 1; sequence <= 3000; sequence += 30) {
    AppendLosses(sequence, sequence + 28);
    Append(EtaEvent(sequence + 29, absl::StrCat(sequence), 0.1));
  }
  v1::ReadHistoryRequest request;
  request.set_max_points(50);
  request.set_page_size(37);
  const std::vector<uint64_t> sequences = Sequences(request);
  EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
  std::vector<uint64_t> losses;
  for (const uint64_t sequence : sequences) {
    if (sequence % 30 != 0) losses.push_back(sequence);
  }
  EXPECT_EQ(sequences.size() - losses.size(), 100u);
  EXPECT_LE(losses.size(), 50u);
  EXPECT_GE(losses.size(), 25u);
  EXPECT_EQ(losses.front(), 1u);
  EXPECT_EQ(losses.back(), 2999u);
  // Without what the first time left in the cache, and as one page.
  ThinnedLossesCache anew;
  request.set_page_size(10'000);
  absl::StatusOr<HistoryQuery> query = ParseHistoryRequest(request);
  HistoryRead read(path_, *std::move(query), anew);
  while (!read.Advance().value()) {
  }
  const v1::ReadHistoryResponse whole = read.TakeResponse();
  ASSERT_EQ(whole.events_size(), static_cast<int>(sequences.size()));
  for (int i = 0; i < whole.events_size(); ++i)
    EXPECT_EQ(whole.events(i).sequence(), sequences[static_cast<size_t>(i)]);
}

TEST_F(ReadHistoryTest, ReadsARunThatIsLongerThanOneRead) {
  for (int i = 0; i < 3; ++i) {
    AppendLosses(static_cast<uint64_t>(i) * 50'000 + 1, static_cast<uint64_t>(i + 1) * 50'000);
  }
  Append(EtaEvent(150'001, "req", 0.1));
  v1::ReadHistoryRequest request;
  request.set_first_batch(149'999);
  EXPECT_THAT(Sequences(request), ElementsAre(149'999, 150'000, 150'001));
  request.clear_first_batch();
  request.add_kinds(v1::EVENT_KIND_LOSS);
  request.set_max_points(2);
  EXPECT_THAT(Sequences(request), ElementsAre(1, 150'000));
}

TEST_F(ReadHistoryTest, BoundsAnAnswerByItsBytes) {
  for (uint64_t sequence = 1; sequence <= 9; ++sequence) Append(StateEvent(sequence, 1 << 20, true));
  v1::ReadHistoryRequest request;
  request.add_kinds(v1::EVENT_KIND_STATE);
  const auto first = Ask(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_LE(first->ByteSizeLong(), static_cast<size_t>(kMaxHistoryBytes + (1 << 20) + 1024));
  EXPECT_GE(first->events_size(), 3);
  EXPECT_EQ(Sequences(request).size(), 9u);
}

TEST_F(ReadHistoryTest, NamesWhatIsDamagedAndGivesTheRest) {
  AppendLosses(1, 10);
  Append(EtaEvent(11, "req", 0.1));
  ASSERT_TRUE((*Database::Open(path_, Database::Mode::kWrite))
                  ->Execute("DELETE FROM events WHERE sequence IN (4, 5);"
                            "UPDATE events SET payload = x'00' WHERE sequence IN (8, 11)")
                  .ok());
  for (const int max_points : {0, 3}) {
    v1::ReadHistoryRequest request;
    request.set_max_points(max_points);
    const auto response = Ask(request);
    ASSERT_TRUE(response.ok()) << response.status();
    std::vector<std::string> damaged;
    for (const v1::Gap& gap : response->damaged()) damaged.push_back(absl::StrCat(gap.first(), "-", gap.last()));
    if (max_points == 0) {
      EXPECT_EQ(response->events_size(), 7);
      EXPECT_THAT(damaged, ElementsAre("4-5", "8-8", "11-11"));
    } else {
      EXPECT_THAT(damaged, testing::IsSupersetOf({"4-5", "11-11"}));
    }
  }
}

TEST_F(ReadHistoryTest, RefusesATokenOfAnotherRequest) {
  AppendLosses(1, 10);
  v1::ReadHistoryRequest request;
  request.set_page_size(2);
  const std::string token = Ask(request)->next_page_token();
  request.set_page_token(token);
  EXPECT_TRUE(Ask(request).ok());
  v1::ReadHistoryRequest other = request;
  other.set_first_batch(3);
  v1::ReadHistoryRequest garbled = request;
  garbled.set_page_token("x" + token);
  v1::ReadHistoryRequest beyond = request;
  beyond.set_page_token(token.substr(0, token.find('-')) + "-ffff-2");
  for (const v1::ReadHistoryRequest& wrong : {other, garbled, beyond}) {
    const absl::Status error = Ask(wrong).status();
    EXPECT_EQ(ReasonOf(error), v1::ERROR_REASON_HISTORY_RANGE_INVALID) << wrong.page_token();
    EXPECT_EQ(ToError(error).field(), "page_token");
  }
}

TEST(HistoryQuery, RefusesRangesThatMakeNoSense) {
  const auto field_of = [](const v1::ReadHistoryRequest& request, v1::ErrorReason reason) {
    const absl::Status error = ParseHistoryRequest(request).status();
    EXPECT_EQ(ReasonOf(error), reason) << error;
    return ToError(error).field();
  };
  v1::ReadHistoryRequest request;
  request.set_first_batch(-1);
  EXPECT_EQ(field_of(request, v1::ERROR_REASON_HISTORY_RANGE_INVALID), "first_batch");
  request.set_first_batch(5);
  request.set_last_batch(4);
  EXPECT_EQ(field_of(request, v1::ERROR_REASON_HISTORY_RANGE_INVALID), "last_batch");
  for (const int points : {-1, 1, 100'001}) {
    v1::ReadHistoryRequest thinned;
    thinned.set_max_points(points);
    EXPECT_EQ(field_of(thinned, v1::ERROR_REASON_HISTORY_RANGE_INVALID), "max_points");
  }
  for (const int size : {-1, 10'001}) {
    v1::ReadHistoryRequest paged;
    paged.set_page_size(size);
    EXPECT_EQ(field_of(paged, v1::ERROR_REASON_SPEC_INVALID), "page_size");
  }
  v1::ReadHistoryRequest kinds;
  kinds.add_kinds(v1::EVENT_KIND_UNSPECIFIED);
  EXPECT_EQ(field_of(kinds, v1::ERROR_REASON_SPEC_INVALID), "kinds");
}

}  // namespace
}  // namespace pilothouse::service
