#include "trainer/plugin/schedule.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "trainer/plugin/schedule_parser.h"
#include "trainer/plugin/time_set.h"

namespace pilothouse::trainer {
namespace {

using Kind = ScheduleExpression::Kind;

// The set of an expression without parts; with `other`, of all times that are not in it.
TimeSet LeafSet(const ScheduleExpression& leaf, bool other) {
  switch (leaf.kind) {
    case Kind::kEach:
      return other ? TimeSet::AllButMultiples(leaf.ticks[0]) : TimeSet::Multiples(leaf.ticks[0]);
    case Kind::kAt:
      return other ? TimeSet::AllBut(leaf.ticks) : TimeSet::Points(leaf.ticks);
    case Kind::kFrom:
      return other ? TimeSet::Range(0, leaf.ticks[0] - 1) : TimeSet::Range(leaf.ticks[0], kMaxTicks);
    case Kind::kUntil:
      return other ? TimeSet::Range(leaf.ticks[0] + 1, kMaxTicks) : TimeSet::Range(0, leaf.ticks[0]);
    case Kind::kAlways:
      return other ? TimeSet() : TimeSet::All();
    default:
      return other ? TimeSet::All() : TimeSet();
  }
}

// As LeafSet, of any expression. "Not" is carried down to the leaves: the times that are not in both of two sets are in
// either of their complements.
absl::StatusOr<TimeSet> SetOf(absl::string_view text, const ScheduleExpression& expression, bool other) {
  if (expression.kind == Kind::kNot) return SetOf(text, expression.parts[0], !other);
  if (expression.parts.empty()) return LeafSet(expression, other);
  const bool both = (expression.kind == Kind::kBoth) != other;
  absl::StatusOr<TimeSet> set = SetOf(text, expression.parts[0], other);
  for (size_t i = 1; set.ok() && i < expression.parts.size(); ++i) {
    const absl::StatusOr<TimeSet> next = SetOf(text, expression.parts[i], other);
    if (!next.ok()) return next;
    std::optional<TimeSet> combined = both ? TimeSet::Both(*set, *next) : TimeSet::Either(*set, *next);
    if (!combined.has_value()) {
      return ScheduleError(text, expression.position,
                           absl::StrCat("it is too complicated; written without parentheses it would have more than ",
                                        kMaxSchedulePieces, " alternatives"));
    }
    set = *std::move(combined);
  }
  return set;
}

}  // namespace

Schedule::Schedule(std::string text, Timeline timeline, std::shared_ptr<const TimeSet> set)
    : text_(std::move(text)), timeline_(timeline), set_(std::move(set)) {}

Schedule Schedule::Always(Timeline timeline) {
  return {"always", timeline, std::make_shared<const TimeSet>(TimeSet::All())};
}

absl::StatusOr<Schedule> Schedule::Parse(absl::string_view text, std::optional<Timeline> timeline) {
  const absl::StatusOr<ParsedSchedule> parsed = ParseSchedule(text, timeline);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<TimeSet> set = SetOf(text, parsed->expression, false);
  if (!set.ok()) return set.status();
  return Schedule(std::string(absl::StripAsciiWhitespace(text)), parsed->timeline,
                  std::make_shared<const TimeSet>(*std::move(set)));
}

Ticks Schedule::NextAfter(Ticks time) const { return set_->NextAfter(time); }

bool Schedule::IsNever() const { return absl::EqualsIgnoreCase(text_, "never"); }

}  // namespace pilothouse::trainer
