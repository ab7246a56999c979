// Schedules against a second opinion: random expressions, of which every single time is looked at.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

// An expression of the grammar, asked about one time by the book.
struct Node {
  enum class Kind { kEither, kBoth, kNot, kEach, kAt, kFrom, kUntil, kAlways, kNever };

  Kind kind = Kind::kAlways;
  std::vector<Node> parts;
  std::vector<Ticks> times;
};
using Kind = Node::Kind;

bool Holds(const Node& node, Ticks time) {
  const auto holds = [time](const Node& part) { return Holds(part, time); };
  switch (node.kind) {
    case Kind::kEither:
      return std::any_of(node.parts.begin(), node.parts.end(), holds);
    case Kind::kBoth:
      return std::all_of(node.parts.begin(), node.parts.end(), holds);
    case Kind::kNot:
      return !Holds(node.parts[0], time);
    case Kind::kEach:
      return time % node.times[0] == 0;
    case Kind::kAt:
      return std::find(node.times.begin(), node.times.end(), time) != node.times.end();
    case Kind::kFrom:
      return time >= node.times[0];
    case Kind::kUntil:
      return time <= node.times[0];
    case Kind::kAlways:
      return true;
    case Kind::kNever:
      break;
  }
  return false;
}

// With those parentheses only that are needed.
std::string TextOf(const Node& node) {
  const auto operand = [&node](const Node& part) {
    return part.kind <= node.kind ? absl::StrCat("(", TextOf(part), ")") : TextOf(part);
  };
  std::vector<std::string> parts;
  for (const Node& part : node.parts) parts.push_back(operand(part));
  const auto with_times = [&node](const char* word) {
    return absl::StrCat(word, "(", absl::StrJoin(node.times, ", "), ")");
  };
  switch (node.kind) {
    case Kind::kEither:
      return absl::StrJoin(parts, " | ");
    case Kind::kBoth:
      return absl::StrJoin(parts, " & ");
    case Kind::kNot:
      return absl::StrCat("~", parts[0]);
    case Kind::kEach:
      return with_times("each");
    case Kind::kAt:
      return with_times("at");
    case Kind::kFrom:
      return with_times("from");
    case Kind::kUntil:
      return with_times("until");
    case Kind::kAlways:
      return "always";
    case Kind::kNever:
      break;
  }
  return "never";
}

class RandomSchedules {
 public:
  explicit RandomSchedules(uint64_t seed) : random_(seed) {}

  // A number in [0, count).
  int64_t Below(int64_t count) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(count)); }

  // Around 0, around a place far away, or around the last time: small ones above all, so that sets meet.
  Ticks Time() {
    constexpr Ticks kFar = 1'000'000'000'000;
    switch (Below(10)) {
      case 0:
        return Below(kMaxTicks + 1);
      case 1:
        return kMaxTicks - Below(60);
      case 2:
      case 3:
        return kFar + Below(60);
      default:
        return Below(80);
    }
  }

  // Mostly few prime factors, so that multiples meet.
  Ticks Step() {
    switch (Below(12)) {
      case 0:
        return 1 + Below(kMaxTicks);
      case 1:
        return kMaxTicks - Below(3);
      case 2:
        return int64_t{1} << Below(40);
      default:
        return 1 + Below(24);
    }
  }

  Node Expression(int depth) {
    Node node;
    const bool leaf = depth == 0 || Below(5) == 0;
    node.kind = leaf ? LeafKind() : static_cast<Kind>(Below(3));
    if (!leaf) {
      const int64_t parts = node.kind == Kind::kNot ? 1 : 2 + Below(4) / 3;
      for (int64_t i = 0; i < parts; ++i) node.parts.push_back(Expression(depth - 1));
    } else if (node.kind == Kind::kEach) {
      node.times = {Step()};
    } else if (node.kind == Kind::kAt) {
      for (int64_t count = 1 + Below(5); count > 0; --count) node.times.push_back(Time());
    } else if (node.kind == Kind::kFrom || node.kind == Kind::kUntil) {
      node.times = {Time()};
    }
    return node;
  }

 private:
  Kind LeafKind() {
    constexpr std::array<Kind, 9> kLeafs = {Kind::kEach, Kind::kEach,  Kind::kEach,   Kind::kAt,   Kind::kAt,
                                            Kind::kFrom, Kind::kUntil, Kind::kAlways, Kind::kNever};
    return kLeafs[static_cast<size_t>(Below(kLeafs.size()))];
  }

  std::mt19937_64 random_;
};

// The times in (after, through] according to the expression, one by one.
std::vector<Ticks> LookedAt(const Node& node, Ticks after, Ticks through) {
  std::vector<Ticks> times;
  for (Ticks time = after + 1; time <= through; ++time) {
    if (Holds(node, time)) times.push_back(time);
  }
  return times;
}

// The same according to the schedule, going from one time to the next.
std::vector<Ticks> SkippedThrough(const Schedule& schedule, Ticks after, Ticks through) {
  std::vector<Ticks> times;
  for (Ticks time = schedule.NextAfter(after); time <= through; time = schedule.NextAfter(time)) times.push_back(time);
  return times;
}

struct Count {
  int64_t ranges = 0;
  int64_t fired = 0;
};

// A run through consecutive ranges that keeps the next due time and looks at nothing else until then, as the host does.
void ExpectToFireWhereItShould(const Node& node, const Schedule& schedule, RandomSchedules& random, Count& count) {
  constexpr int kRanges = 6;
  Ticks after = std::min(random.Time() - 1, kMaxTicks - 200);
  Ticks due = schedule.NextAfter(after);
  for (int i = 0; i < kRanges; ++i) {
    const Ticks through = after + random.Below(30);
    const std::vector<Ticks> expected = LookedAt(node, after, through);
    ASSERT_EQ(SkippedThrough(schedule, after, through), expected) << "(" << after << ", " << through << "]";
    ASSERT_EQ(schedule.DueIn(after, through), !expected.empty()) << "(" << after << ", " << through << "]";
    ASSERT_EQ(due <= through, !expected.empty()) << "(" << after << ", " << through << "], due at " << due;
    if (due <= through) due = schedule.NextAfter(through);
    // However far away it lies.
    ASSERT_TRUE(due == kNever || (due <= kMaxTicks && Holds(node, due))) << due;
    ++count.ranges;
    count.fired += expected.empty() ? 0 : 1;
    after = through;
  }
}

TEST(ScheduleProperty, FiresExactlyWhereEveryTimeLookedAtSaysSo) {
  constexpr int64_t kCases = 400'000;
  RandomSchedules random(7);
  Count count;
  while (count.ranges < kCases) {
    const Node node = random.Expression(static_cast<int>(random.Below(6)));
    const std::string text = TextOf(node);
    SCOPED_TRACE(text);
    const absl::StatusOr<Schedule> schedule = Schedule::Parse(text);
    ASSERT_TRUE(schedule.ok()) << schedule.status();
    for (int walk = 0; walk < 2; ++walk) {
      ASSERT_NO_FATAL_FAILURE(ExpectToFireWhereItShould(node, *schedule, random, count));
    }
  }
  // Both answers were asked for often.
  EXPECT_GT(count.fired, kCases / 10);
  EXPECT_LT(count.fired, kCases - kCases / 10);
}

}  // namespace
}  // namespace pilothouse::trainer
