#include "service/rpc/read_history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "proto/journal/event_kind.h"

namespace pilothouse::service {
namespace {

// What a thinner keeps for each point, at most.
constexpr int64_t kBytesPerPoint = 64;

// What of `damaged` lies behind `after` and not behind `through`.
std::vector<SequenceRange> Within(const std::vector<SequenceRange>& damaged, uint64_t after, uint64_t through) {
  std::vector<SequenceRange> within;
  for (const SequenceRange& range : damaged) {
    if (range.last <= after || range.first > through) continue;
    within.push_back({std::max(range.first, after + 1), std::min(range.last, through)});
  }
  return within;
}

// Both in order.
std::vector<SequenceRange> Merged(std::vector<SequenceRange> one, const std::vector<SequenceRange>& other) {
  one.insert(one.end(), other.begin(), other.end());
  std::sort(one.begin(), one.end(),
            [](const SequenceRange& left, const SequenceRange& right) { return left.first < right.first; });
  return one;
}

bool IsEarlier(const std::shared_ptr<const v1::Event>& one, const std::shared_ptr<const v1::Event>& other) {
  return one->sequence() < other->sequence();
}

}  // namespace

std::shared_ptr<const ThinnedLosses> ThinnedLossesCache::Find(const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->losses;
}

void ThinnedLossesCache::Keep(const std::string& key, std::shared_ptr<const ThinnedLosses> losses) {
  MutexLock lock(mutex_);
  kept_.push_front({key, std::move(losses)});
  if (kept_.size() > kMaxThinnedKept) kept_.pop_back();
}

HistoryRead::HistoryRead(std::string journal_path, HistoryQuery query, ThinnedLossesCache& cache)
    : journal_path_(std::move(journal_path)),
      query_(std::move(query)),
      key_(absl::StrCat(journal_path_, " ", query_.fingerprint)),
      cache_(cache) {}

int64_t HistoryRead::BytesFor(const HistoryQuery& query) {
  return 2 * kMaxHistoryBytes + kBytesPerPoint * query.max_points;
}

absl::StatusOr<bool> HistoryRead::Advance() {
  if (reader_ == nullptr) {
    absl::Status begun = Begin();
    if (!begun.ok()) return begun;
    return false;
  }
  if (thinner_ != nullptr) {
    absl::Status thinned = Thin();
    if (!thinned.ok()) return thinned;
    return false;
  }
  return ReadOn();
}

absl::Status HistoryRead::Begin() {
  absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(journal_path_);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<uint64_t> last = (*reader)->LastSequence();
  if (!last.ok()) return last.status();
  absl::StatusOr<std::vector<RewindMark>> rewinds = (*reader)->Rewinds();
  if (!rewinds.ok()) return rewinds.status();
  position_ = query_.position.value_or(HistoryPosition{.after = 0, .end = *last});
  if (position_.end > *last) return UnknownHistoryToken();
  // As the run was when the first page was read.
  rewinds->erase(std::find_if(rewinds->begin(), rewinds->end(),
                              [&](const RewindMark& rewind) { return rewind.sequence > position_.end; }),
                 rewinds->end());
  absl::StatusOr<Line> line = FindLine(query_.branch, *rewinds);
  if (!line.ok()) return line.status();
  query_.filter.line = *std::move(line);
  query_.filter.last_sequence = position_.end;
  reader_ = *std::move(reader);
  if (query_.max_points == 0) return absl::OkStatus();
  chosen_ = cache_.Find(absl::StrCat(key_, " ", position_.end));
  if (chosen_ != nullptr) return absl::OkStatus();
  thinner_ = std::make_unique<LossThinner>(static_cast<size_t>(query_.max_points));
  choosing_ = std::make_shared<ThinnedLosses>();
  return absl::OkStatus();
}

absl::Status HistoryRead::Thin() {
  const absl::StatusOr<LossPage> page = reader_->ReadLosses(thinned_through_, query_.filter);
  if (!page.ok()) return page.status();
  for (const LossPage::Loss& loss : page->losses) thinner_->Add(loss.sequence, loss.value);
  for (const SequenceRange& range : page->damaged) AddDamage(choosing_->damaged, range);
  thinned_through_ = page->through;
  if (thinned_through_ < position_.end) return absl::OkStatus();
  choosing_->sequences = thinner_->Chosen();
  thinner_ = nullptr;
  chosen_ = std::move(choosing_);
  cache_.Keep(absl::StrCat(key_, " ", position_.end), chosen_);
  return absl::OkStatus();
}

absl::StatusOr<bool> HistoryRead::ReadOn() {
  const int room = query_.page_size - response_.events_size();
  const int64_t bytes = kMaxHistoryBytes - bytes_;
  const absl::StatusOr<JournalPage> page =
      chosen_ != nullptr ? ReadThinned(room, bytes) : reader_->Read(position_.after, query_.filter, room, bytes);
  if (!page.ok()) return page.status();
  for (const auto& event : page->events) {
    *response_.add_events() = *event;
    bytes_ += static_cast<int64_t>(event->ByteSizeLong());
  }
  for (const SequenceRange& range : page->damaged) AddDamage(damaged_, range);
  position_.after = page->through;
  const bool full = response_.events_size() >= query_.page_size || bytes_ >= kMaxHistoryBytes;
  if (!full && position_.after < position_.end) return false;
  Finish();
  return true;
}

absl::StatusOr<JournalPage> HistoryRead::ReadThinned(int max_events, int64_t max_bytes) const {
  EventFilter others = query_.filter;
  others.kinds.Remove(v1::EVENT_KIND_LOSS);
  JournalPage page;
  page.through = position_.end;
  if (!others.kinds.empty()) {
    absl::StatusOr<JournalPage> read = reader_->Read(position_.after, others, max_events, max_bytes);
    if (!read.ok()) return read.status();
    page = *std::move(read);
  }
  const std::vector<uint64_t>& all = chosen_->sequences;
  const auto first = std::upper_bound(all.begin(), all.end(), position_.after);
  const auto end = std::upper_bound(first, all.end(), page.through);
  const auto count = std::min<int64_t>(end - first, max_events);
  absl::StatusOr<JournalPage> losses = reader_->ReadSequences(
      absl::MakeConstSpan(all).subspan(static_cast<size_t>(first - all.begin()), static_cast<size_t>(count)));
  if (!losses.ok()) return losses.status();
  // Not all of them: what comes after the last of these is for the next page.
  if (count < end - first) page.through = losses->through;
  std::vector<std::shared_ptr<const v1::Event>> events;
  std::merge(page.events.begin(), page.events.end(), losses->events.begin(), losses->events.end(),
             std::back_inserter(events), &IsEarlier);
  if (events.size() > static_cast<size_t>(max_events)) {
    page.through = std::min(page.through, events[static_cast<size_t>(max_events)]->sequence() - 1);
  }
  while (!events.empty() && events.back()->sequence() > page.through) events.pop_back();
  page.events = std::move(events);
  page.damaged =
      Within(Merged(Merged(std::move(page.damaged), losses->damaged), chosen_->damaged), position_.after, page.through);
  return page;
}

void HistoryRead::Finish() {
  response_.set_last_sequence(position_.end);
  if (position_.after < position_.end) response_.set_next_page_token(HistoryToken(query_, position_));
  for (const SequenceRange& range : damaged_) {
    v1::Gap& gap = *response_.add_damaged();
    gap.set_first(range.first);
    gap.set_last(range.last);
  }
}

}  // namespace pilothouse::service
