#include "trainer/plugin/spec_completion.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "trainer/plugin/plugin_call.h"

namespace pilothouse::trainer {
namespace {

constexpr size_t kMaxNameBytes = 63;

absl::Status Invalid(absl::string_view field, absl::string_view value, absl::string_view sentence) {
  return MakeError(v1::ERROR_REASON_PLUGIN_INVALID, field, sentence, {{"value", std::string(value)}});
}

absl::Status CheckName(const std::string& name) {
  const auto fits = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; };
  const bool fine =
      name.size() <= kMaxNameBytes && (name.empty() || name[0] != '-') && std::all_of(name.begin(), name.end(), fits);
  if (fine) return absl::OkStatus();
  return Invalid(
      "name", name,
      "A plugin's name is 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit.");
}

absl::Status CheckNumbers(const PluginSpec& spec) {
  const int priority = spec.priority.value_or(0);
  if (priority < -kMaxPriority || priority > kMaxPriority) {
    return Invalid(
        "priority", absl::StrCat(priority),
        absl::StrCat("A plugin's priority lies from ", -kMaxPriority, " to ", kMaxPriority, "; got ", priority, "."));
  }
  const std::chrono::nanoseconds allowance = spec.allowance.value_or(kUsualAllowance);
  if (allowance <= std::chrono::nanoseconds(0) || allowance > kMaxAllowance) {
    const double seconds = std::chrono::duration<double>(allowance).count();
    return Invalid("allowance", absl::StrCat(seconds),
                   absl::StrCat("A plugin's allowance is above 0 and at most 1 h; got ", seconds, " s."));
  }
  if (spec.max_failures < 0 || spec.max_failures > kMaxMaxFailures) {
    return Invalid("max_failures", absl::StrCat(spec.max_failures),
                   absl::StrCat("A plugin's max_failures lies from 1 to ", kMaxMaxFailures,
                                ", or is 0 for the usual number; got ", spec.max_failures, "."));
  }
  return absl::OkStatus();
}

absl::Status CheckHeldOut(const PluginSpec& spec, const PluginKind& kind, const PluginSurroundings& surroundings) {
  if (surroundings.validation_examples > 0) return absl::OkStatus();
  if (kind.needs_validation_data) {
    return MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, "kind",
                     absl::StrCat("The kind \"", kind.name,
                                  "\" needs a validation, and the run holds no examples out. ", kHowToHoldOut));
  }
  if (spec.point == PluginPoint::kAfterValidation) {
    return MakeError(
        v1::ERROR_REASON_NO_VALIDATION_DATA, "point",
        absl::StrCat("There is no validation to run after: the run holds no examples out. ", kHowToHoldOut));
  }
  return absl::OkStatus();
}

// A plugin that would never do anything is most likely a mistake.
absl::Status CheckPoint(const PluginSpec& spec, const PluginKind& kind) {
  if (kind.acts_at_end || spec.point != PluginPoint::kEnd) return absl::OkStatus();
  std::vector<absl::string_view> others;
  for (const PluginPoint point : kPluginPoints) {
    if (point != PluginPoint::kEnd) others.push_back(PointName(point));
  }
  return Invalid("point", PointName(PluginPoint::kEnd),
                 absl::StrCat("The kind \"", kind.name, "\" does nothing at the end of a run, which can be changed no ",
                              "more then. It can run at: ", absl::StrJoin(others, ", "), "."));
}

PluginSpec WithUsualValues(PluginSpec spec, const PluginKind& kind) {
  spec.priority = spec.priority.value_or(kind.usual_priority);
  spec.required = spec.required.value_or(kind.required);
  spec.allowance = spec.allowance.value_or(kUsualAllowance);
  if (spec.max_failures == 0) spec.max_failures = kUsualMaxFailures;
  return spec;
}

// "the run is at batch 500".
std::string WhereOn(Timeline timeline, const RunTimelines& timelines) {
  const double now = timelines.Value(timeline);
  switch (timeline) {
    case Timeline::kBatches:
      return absl::StrCat("the run is at batch ", timelines.Now(timeline));
    case Timeline::kExamples:
      return absl::StrCat("the run is at example ", timelines.Now(timeline));
    case Timeline::kEpochs:
      return absl::StrCat("the run is at epoch ", now);
    case Timeline::kWallTime:
      return absl::StrCat("the run has lasted ", now, " s");
    case Timeline::kTrainingTime:
      return absl::StrCat("the run has trained for ", now, " s");
  }
  return "";
}

// When a plugin of this kind runs if the spec does not say.
absl::StatusOr<PluginTiming> UsualTiming(const CompletedSpec& completed, const PluginSurroundings& surroundings) {
  const PluginKind& kind = *completed.kind;
  PluginTiming timing{kind.usual_schedule, std::nullopt, kind.usual_point};
  const PluginSpec& spec = completed.spec;
  const bool said = spec.point.has_value() && (!spec.schedule.empty() || !TakesSchedule(*spec.point));
  if (said || kind.usual_timing == nullptr) return timing;
  const absl::Status status = Guarded([&] {
    absl::StatusOr<PluginTiming> chosen = kind.usual_timing(completed.settings, surroundings);
    if (!chosen.ok()) return chosen.status();
    timing = *std::move(chosen);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return timing;
}

// Fills in the point and the schedule, as its text and timeline too. A point that takes none is content with none.
absl::Status CompleteTiming(CompletedSpec& completed, const PluginSurroundings& surroundings) {
  const absl::StatusOr<PluginTiming> usual = UsualTiming(completed, surroundings);
  if (!usual.ok()) return usual.status();
  PluginSpec& spec = completed.spec;
  spec.point = spec.point.value_or(usual->point);
  const bool says_nothing = spec.schedule.empty() && !spec.timeline.has_value();
  if (says_nothing && !TakesSchedule(*spec.point)) return absl::OkStatus();
  if (says_nothing) spec.timeline = usual->timeline;
  if (spec.schedule.empty()) spec.schedule = usual->schedule;
  absl::StatusOr<Schedule> schedule = ParseSchedule(spec.schedule, spec.timeline, *spec.point);
  if (!schedule.ok()) return schedule.status();
  spec.schedule = schedule->text();
  spec.timeline = schedule->timeline();
  completed.schedule = *std::move(schedule);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompletedSpec> CompleteSpec(const PluginSpec& spec, const PluginKinds& kinds,
                                           const PluginSurroundings& surroundings) {
  const absl::StatusOr<const PluginKind*> kind = kinds.Find(spec.kind);
  if (!kind.ok()) return kind.status();
  absl::Status status = CheckName(spec.name);
  status.Update(CheckNumbers(spec));
  if (!status.ok()) return status;
  absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(**kind, spec.settings);
  if (!settings.ok()) return settings.status();
  CompletedSpec completed{WithUsualValues(spec, **kind), *kind, *std::move(settings), std::nullopt};
  completed.spec.settings = completed.settings.values();
  status.Update(CompleteTiming(completed, surroundings));
  status.Update(CheckPoint(completed.spec, **kind));
  status.Update(CheckHeldOut(completed.spec, **kind, surroundings));
  if (!status.ok()) return status;
  return completed;
}

absl::StatusOr<Schedule> ParseSchedule(absl::string_view text, std::optional<Timeline> timeline, PluginPoint point) {
  if (TakesSchedule(point)) return Schedule::Parse(text, timeline);
  return Invalid("schedule", text,
                 absl::StrCat("A plugin at ", PointName(point), " runs once, so it takes no schedule."));
}

absl::Status CheckComes(const Schedule& schedule, Ticks after, const RunTimelines& timelines) {
  if (schedule.IsNever() || schedule.NextAfter(after) != kNever) return absl::OkStatus();
  const std::string why = schedule.NextAfter(-1) == kNever
                              ? std::string("no time is in it. Give another one,")
                              : absl::StrCat(WhereOn(schedule.timeline(), timelines), " already. Give a later time,");
  return MakeError(
      v1::ERROR_REASON_SCHEDULE_INVALID, "schedule",
      absl::StrCat("The schedule \"", schedule.text(), "\" would never come: ", why, " or \"never\" if that is meant."),
      {{"schedule", schedule.text()}});
}

Ticks FirstAskedAfter(PluginPoint point, Timeline timeline, const RunTimelines& timelines) {
  const Ticks now = timelines.Now(timeline);
  // Wall time runs on before the first batch; whatever counts batches stays at its beginning until then.
  const bool beginning = timelines.Now(Timeline::kBatches) == 0 && now == 0;
  return beginning && point == PluginPoint::kBeforeBatch ? -1 : now;
}

}  // namespace pilothouse::trainer
