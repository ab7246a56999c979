#include "trainer/plugin/schedule_parser.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "trainer/plugin/schedule.h"

namespace pilothouse::trainer {
namespace {

using Kind = ScheduleExpression::Kind;

struct SetWord {
  absl::string_view word;
  Kind kind;
};
constexpr std::array<SetWord, 6> kSetWords = {{{"each", Kind::kEach},
                                               {"at", Kind::kAt},
                                               {"from", Kind::kFrom},
                                               {"until", Kind::kUntil},
                                               {"always", Kind::kAlways},
                                               {"never", Kind::kNone}}};
constexpr char kSets[] = "each(…), at(…), from(…), until(…), always or never";

// The text, or where it is long what surrounds the character at `position`; fit for messages.
std::string Excerpt(absl::string_view text, size_t position) {
  constexpr size_t kMaxBytes = 80;
  if (text.size() <= kMaxBytes) return absl::CHexEscape(text);
  const size_t begin = std::min(position - std::min(position, kMaxBytes / 2), text.size() - kMaxBytes);
  const bool cut = begin + kMaxBytes < text.size();
  return absl::StrCat(begin > 0 ? "…" : "", absl::CHexEscape(text.substr(begin, kMaxBytes)), cut ? "…" : "");
}

std::string QuotedWord(absl::string_view word) {
  constexpr size_t kMaxBytes = 20;
  return absl::StrCat("'", Shortened(word, kMaxBytes), "'");
}

absl::string_view WhatCounts(Timeline timeline) {
  switch (timeline) {
    case Timeline::kBatches:
      return "counts batches";
    case Timeline::kExamples:
      return "counts examples";
    case Timeline::kEpochs:
      return "counts epochs";
    case Timeline::kWallTime:
    case Timeline::kTrainingTime:
      break;
  }
  return "is a time";
}

absl::string_view TimelinesFor(const TimeUnit& unit) {
  return unit.timeline == Timeline::kWallTime ? "wall_time or training_time" : TimelineName(unit.timeline);
}

// Recursive descent, one function for each rule of the grammar. The cursor is where an error would be found.
class ScheduleParser {
 public:
  ScheduleParser(absl::string_view text, std::optional<Timeline> timeline) : text_(text), timeline_(timeline) {}

  absl::StatusOr<ParsedSchedule> Parse() {
    if (text_.size() > size_t{kMaxPluginTextBytes}) {
      cursor_ = kMaxPluginTextBytes;
      return Refuse(absl::StrCat("a schedule has at most ", kMaxPluginTextBytes, " characters"));
    }
    absl::StatusOr<ScheduleExpression> expression = ParseEither();
    if (!expression.ok()) return expression.status();
    if (cursor_ < text_.size()) return Refuse("&, | or the end of the schedule is expected");
    const Timeline timeline = timeline_.value_or(Timeline::kBatches);
    if (absl::Status status = TellTicks(timeline, *expression); !status.ok()) return status;
    return ParsedSchedule{*std::move(expression), timeline};
  }

 private:
  absl::StatusOr<ScheduleExpression> ParseEither() {
    return ParseOperands('|', Kind::kEither, [this] { return ParseBoth(); });
  }

  absl::StatusOr<ScheduleExpression> ParseBoth() {
    return ParseOperands('&', Kind::kBoth, [this] { return ParseOther(); });
  }

  // operand { separator operand }
  template <typename ParseOperand>
  absl::StatusOr<ScheduleExpression> ParseOperands(char separator, Kind kind, ParseOperand parse_operand) {
    absl::StatusOr<ScheduleExpression> first = parse_operand();
    if (!first.ok()) return first;
    SkipSpaces();
    ScheduleExpression expression;
    expression.kind = kind;
    expression.position = cursor_;
    if (!TakeCharacter(separator)) return first;
    expression.parts.push_back(*std::move(first));
    do {
      absl::StatusOr<ScheduleExpression> next = parse_operand();
      if (!next.ok()) return next;
      expression.parts.push_back(*std::move(next));
    } while (Take(separator));
    return expression;
  }

  absl::StatusOr<ScheduleExpression> ParseOther() {
    SkipSpaces();
    const size_t position = cursor_;
    const bool is_not = Take('~');
    if (!is_not && !Take('(')) return ParseSet();
    if (++depth_ > kMaxScheduleDepth) {
      cursor_ = position;
      return Refuse(absl::StrCat("it is too complicated; at most ", kMaxScheduleDepth,
                                 " parentheses and ~ may stand inside each other"));
    }
    absl::StatusOr<ScheduleExpression> inner = is_not ? ParseOther() : ParseEither();
    --depth_;
    if (!inner.ok()) return inner;
    if (is_not) {
      ScheduleExpression expression;
      expression.kind = Kind::kNot;
      expression.position = position;
      expression.parts.push_back(*std::move(inner));
      return expression;
    }
    if (!Take(')')) return Refuse("&, | or ) is expected");
    return inner;
  }

  absl::StatusOr<ScheduleExpression> ParseSet() {
    ScheduleExpression expression;
    expression.position = cursor_;
    const absl::string_view word = TakeWord();
    if (word.empty()) return Refuse(absl::StrCat("a set of times is expected: ", kSets));
    const auto* const known = std::find_if(kSetWords.begin(), kSetWords.end(), [word](const SetWord& set) {
      return absl::EqualsIgnoreCase(word, set.word);
    });
    if (known == kSetWords.end()) {
      cursor_ = expression.position;
      return Refuse(absl::StrCat(QuotedWord(word), " is no set of times; there are ", kSets));
    }
    expression.kind = known->kind;
    if (known->kind == Kind::kAlways || known->kind == Kind::kNone) return expression;
    if (!Take('(')) return Refuse(absl::StrCat("( is expected after ", known->word));
    do {
      absl::StatusOr<WrittenTime> time = ParseTime();
      if (!time.ok()) return time.status();
      expression.times.push_back(*time);
    } while (known->kind == Kind::kAt && Take(','));
    if (!Take(')')) return Refuse(known->kind == Kind::kAt ? "a comma or ) is expected" : ") is expected");
    return expression;
  }

  absl::StatusOr<WrittenTime> ParseTime() {
    SkipSpaces();
    WrittenTime time;
    time.position = cursor_;
    if (TakeDigits().empty()) return Refuse("a time is expected, such as 10 or 30 s");
    if (TakeCharacter('.') && TakeDigits().empty()) return Refuse("a digit is expected after the point");
    time.number = text_.substr(time.position, cursor_ - time.position);
    size_t end = cursor_;
    SkipSpaces();
    const size_t word_position = cursor_;
    if (const absl::string_view word = TakeWord(); !word.empty()) {
      end = cursor_;
      time.unit = FindTimeUnit(word);
      if (time.unit == nullptr) {
        cursor_ = word_position;
        return Refuse(absl::StrCat(QuotedWord(word), " is no unit; there are ", kTimeUnits));
      }
    }
    time.text = text_.substr(time.position, end - time.position);
    if (absl::Status status = AgreeOnTimeline(time); !status.ok()) return status;
    return time;
  }

  // Where no timeline is given, the first unit decides.
  absl::Status AgreeOnTimeline(const WrittenTime& time) {
    if (time.unit == nullptr) return absl::OkStatus();
    if (!timeline_.has_value()) {
      timeline_ = time.unit->timeline;
      decided_by_ = Quoted(time);
    }
    if (Fits(*time.unit, *timeline_)) return absl::OkStatus();
    cursor_ = time.position;
    const std::string what = absl::StrCat(Quoted(time), " ", WhatCounts(time.unit->timeline), ", but ");
    if (decided_by_.empty()) {
      return Refuse(absl::StrCat(what, "the timeline is ", TimelineName(*timeline_), "; give the timeline ",
                                 TimelinesFor(*time.unit)));
    }
    return Refuse(absl::StrCat(what, decided_by_, " ", WhatCounts(*timeline_),
                               "; a schedule has one timeline, so use units of one of them"));
  }

  absl::Status TellTicks(Timeline timeline, ScheduleExpression& expression) {
    for (const WrittenTime& time : expression.times) {
      cursor_ = time.position;
      const absl::StatusOr<Ticks> ticks = TicksOf(time, timeline);
      if (!ticks.ok()) return Refuse(absl::string_view(ticks.status().message()));
      if (*ticks == 0 && expression.kind == Kind::kEach) return Refuse("each takes a time above 0");
      expression.ticks.push_back(*ticks);
    }
    for (ScheduleExpression& part : expression.parts) {
      if (absl::Status status = TellTicks(timeline, part); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void SkipSpaces() {
    while (cursor_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[cursor_]))) ++cursor_;
  }

  bool TakeCharacter(char character) {
    if (cursor_ == text_.size() || text_[cursor_] != character) return false;
    ++cursor_;
    return true;
  }

  // After spaces; where something else stands, the cursor is then there.
  bool Take(char character) {
    SkipSpaces();
    return TakeCharacter(character);
  }

  absl::string_view TakeDigits() { return TakeAll(absl::ascii_isdigit); }
  absl::string_view TakeWord() { return TakeAll(absl::ascii_isalpha); }

  absl::string_view TakeAll(bool (*fits)(unsigned char)) {
    const size_t begin = cursor_;
    while (cursor_ < text_.size() && fits(static_cast<unsigned char>(text_[cursor_]))) ++cursor_;
    return text_.substr(begin, cursor_ - begin);
  }

  absl::Status Refuse(absl::string_view why) const { return ScheduleError(text_, cursor_, why); }

  absl::string_view text_;
  std::optional<Timeline> timeline_;
  // The time whose unit decided the timeline; empty: it was given, or nothing did yet.
  std::string decided_by_;
  size_t cursor_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<ParsedSchedule> ParseSchedule(absl::string_view text, std::optional<Timeline> timeline) {
  return ScheduleParser(text, timeline).Parse();
}

absl::Status ScheduleError(absl::string_view text, size_t position, absl::string_view why) {
  // Bytes are characters up to here: those that are not ASCII fit nowhere, so the first of them is the last one read.
  const std::string number = absl::StrCat(position + 1);
  return MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "schedule",
                   absl::StrCat("The schedule \"", Excerpt(text, position), "\" cannot be read at character ", number,
                                ": ", why, "."),
                   {{"schedule", std::string(text)}, {"position", number}});
}

}  // namespace pilothouse::trainer
