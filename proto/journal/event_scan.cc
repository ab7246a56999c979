#include "proto/journal/event_scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "proto/journal/checksum.h"

namespace pilothouse {
namespace {

// So many rows that cannot be trusted are passed by; behind each that follows, the next place is looked for instead: a
// damaged tree may lead round and round.
constexpr int kMaxRejected = 10'000;
// A damaged page holds some dozens of events. Where so many of them have been tried in vain, most of the file is gone,
// and longer strides are taken.
constexpr uint64_t kLongestStride = 16;
constexpr int kPatientProbes = 20'000;

std::string Columns(const Database& database, EventKindSet read) {
  std::vector<std::string> names;
  for (const v1::EventKind kind : EventKindSet::AllKinds()) {
    if (read.Contains(kind)) names.push_back(absl::StrCat("'", KindName(kind), "'"));
  }
  // Payloads that are not wanted are not fetched: states are large.
  const std::string payload =
      names.size() == EventKindSet::AllKinds().size()
          ? "payload"
          : absl::StrCat("CASE WHEN kind IN (", absl::StrJoin(names, ", "), ") THEN payload END");
  return absl::StrCat("SELECT sequence, batch, kind, value, report_number, time_us, ",
                      database.has_sums() ? "sum" : "NULL", ", ", payload, " FROM events");
}

std::string SelectRange(const Database& database, EventPass pass, EventKindSet read) {
  // Left to itself, the planner takes the table, losses and all.
  const bool everything = pass == EventPass::kEverything;
  return absl::StrCat(Columns(database, read), everything ? "" : " INDEXED BY events_without_losses",
                      " WHERE sequence > ?1 AND sequence <= ?2", everything ? "" : " AND kind <> 'loss'",
                      " ORDER BY sequence");
}

// Journals up to version 2 have no sums; what they hold can still be compared with itself.
std::shared_ptr<const v1::Event> Verified(const Statement& select, const EventRow& row, absl::string_view payload) {
  if (!select.IsNull(6) && select.Integer(6) != EventSum({.sequence = row.sequence,
                                                          .batch = row.batch,
                                                          .time_us = select.Integer(5),
                                                          .report_number = row.report_number,
                                                          .value = row.value,
                                                          .kind = KindName(row.kind),
                                                          .payload = payload})) {
    return nullptr;
  }
  auto event = std::make_shared<v1::Event>();
  if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size())) || KindOf(*event) != row.kind ||
      event->sequence() != row.sequence || event->batch() != row.batch) {
    return nullptr;
  }
  return event;
}

// What the columns say; false if they make no sense.
bool ReadRow(const Statement& select, EventKindSet read, EventRow& row) {
  row.sequence = static_cast<uint64_t>(select.Integer(0));
  row.batch = select.Integer(1);
  row.kind = KindOfName(select.Bytes(2));
  row.value = select.IsNull(3) ? std::numeric_limits<double>::quiet_NaN() : select.Real(3);
  row.report_number = static_cast<uint64_t>(select.Integer(4));
  row.event = nullptr;
  row.bytes = 0;
  if (row.kind == v1::EVENT_KIND_UNSPECIFIED) return false;
  if (!read.Contains(row.kind)) return true;
  const absl::string_view payload = select.Bytes(7);
  row.bytes = static_cast<int64_t>(payload.size());
  row.event = Verified(select, row, payload);
  return row.event != nullptr;
}

}  // namespace

int64_t EventSum(const EventColumns& columns) {
  uint64_t value = ~uint64_t{0};
  if (!std::isnan(columns.value)) std::memcpy(&value, &columns.value, sizeof(value));
  return Checksum({columns.sequence, static_cast<uint64_t>(columns.batch), static_cast<uint64_t>(columns.time_us),
                   columns.report_number, value},
                  {columns.kind, columns.payload});
}

void AddDamage(std::vector<SequenceRange>& damaged, SequenceRange range) {
  if (!damaged.empty() && (damaged.size() >= kMaxDamagedRanges || range.first <= damaged.back().last + 1)) {
    damaged.back().last = std::max(damaged.back().last, range.last);
  } else {
    damaged.push_back(range);
  }
}

EventLookup::EventLookup(const Database& database)
    : database_(database),
      select_(database, absl::StrCat(Columns(database, EventKindSet::All()), " WHERE sequence = ?1")) {}

absl::StatusOr<std::optional<EventRow>> EventLookup::Find(uint64_t sequence) {
  select_.Reset();
  select_.BindInteger(1, static_cast<int64_t>(sequence));
  const absl::StatusOr<bool> found = select_.Step();
  if (!found.ok() && !database_.SawDamage()) return found.status();
  EventRow row;
  if (!found.ok() || !*found || !ReadRow(select_, EventKindSet::All(), row) || row.sequence != sequence) {
    return std::nullopt;
  }
  return row;
}

EventScan::EventScan(const Database& database, EventPass pass, uint64_t after, uint64_t through, EventKindSet read)
    : database_(database),
      pass_(pass),
      // SQLite's integers have a sign.
      through_(std::min<uint64_t>(through, std::numeric_limits<int64_t>::max())),
      read_(read),
      cursor_(std::min(after, through_)) {
  Restart(cursor_);
}

void EventScan::Restart(uint64_t after) {
  select_.emplace(database_, SelectRange(database_, pass_, read_));
  select_->BindInteger(1, static_cast<int64_t>(after));
  select_->BindInteger(2, static_cast<int64_t>(through_));
}

absl::StatusOr<bool> EventScan::Next(EventRow& row) {
  for (;;) {
    const absl::StatusOr<bool> stepped = select_->Step();
    if (stepped.ok() && !*stepped) return End();
    if (stepped.ok() && Take(*select_, row)) return true;
    if (!stepped.ok() && !database_.SawDamage()) return stepped.status();
    // An index that led astray once is not followed further.
    const bool lost = !stepped.ok() || pass_ == EventPass::kWithoutLosses || ++rejected_ > kMaxRejected;
    if (lost && !StepOver()) return End();
  }
}

bool EventScan::End() {
  if (pass_ == EventPass::kEverything) Miss(cursor_ + 1, through_);
  cursor_ = through_;
  return false;
}

void EventScan::Miss(uint64_t first, uint64_t last) {
  if (first <= last) AddDamage(damaged_, {first, last});
}

bool EventScan::Take(Statement& select, EventRow& row) {
  if (!ReadRow(select, read_, row)) return false;
  // Where a tree is damaged, rows come in any order.
  if (row.sequence <= cursor_ || row.sequence > through_) return false;
  if (pass_ == EventPass::kEverything && row.sequence != cursor_ + 1) {
    // Either some are missing, or this is not the row it says it is, which would hide those that follow.
    if (row.event == nullptr && !EventLookup(database_).Find(row.sequence).value_or(std::nullopt)) return false;
    Miss(cursor_ + 1, row.sequence - 1);
  }
  cursor_ = row.sequence;
  return true;
}

bool EventScan::Readable(uint64_t sequence) {
  Statement select(database_, absl::StrCat(SelectRange(database_, EventPass::kEverything, read_), " LIMIT 1"));
  select.BindInteger(1, static_cast<int64_t>(sequence - 1));
  select.BindInteger(2, static_cast<int64_t>(through_));
  const absl::StatusOr<bool> row = select.Step();
  return row.ok() && *row;
}

bool EventScan::StepOver() {
  if (pass_ == EventPass::kWithoutLosses) {
    pass_ = EventPass::kEverything;
    Restart(cursor_);
    return true;
  }
  // From `bad`, which cannot be read, in strides to `good`, which can, and back to where that begins.
  uint64_t bad = std::max(cursor_, taken_up_) + 1;
  uint64_t good = 0;
  uint64_t stride = 1;
  for (int probes = 0; good == 0; ++probes) {
    if (bad >= through_) return false;
    const uint64_t probe = stride < through_ - bad ? bad + stride : through_;
    (Readable(probe) ? good : bad) = probe;
    if (stride < kLongestStride || (probes > kPatientProbes && stride < through_)) stride *= 2;
  }
  while (good - bad > 1) {
    const uint64_t middle = bad + (good - bad) / 2;
    (Readable(middle) ? good : bad) = middle;
  }
  taken_up_ = good;
  Restart(good - 1);
  return true;
}

}  // namespace pilothouse
