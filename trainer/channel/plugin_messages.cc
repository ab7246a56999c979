#include "trainer/channel/plugin_messages.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/text.h"

namespace pilothouse::trainer {
namespace {

using std::chrono::nanoseconds;

constexpr int64_t kNanosPerSecond = 1'000'000'000;
// Longer than any allowance.
constexpr int64_t kMaxSeconds = 1'000'000;

google::protobuf::Duration ToMessage(nanoseconds duration) {
  google::protobuf::Duration message;
  message.set_seconds(duration.count() / kNanosPerSecond);
  message.set_nanos(static_cast<int>(duration.count() % kNanosPerSecond));
  return message;
}

nanoseconds FromMessage(const google::protobuf::Duration& message) {
  const int64_t seconds = std::clamp(message.seconds(), -kMaxSeconds, kMaxSeconds);
  return nanoseconds(seconds * kNanosPerSecond + message.nanos());
}

v1::PluginPoint ToMessage(PluginPoint point) {
  switch (point) {
    case PluginPoint::kStart:
      return v1::PLUGIN_POINT_START;
    case PluginPoint::kBeforeBatch:
      return v1::PLUGIN_POINT_BEFORE_BATCH;
    case PluginPoint::kAfterBatch:
      return v1::PLUGIN_POINT_AFTER_BATCH;
    case PluginPoint::kAfterValidation:
      return v1::PLUGIN_POINT_AFTER_VALIDATION;
    case PluginPoint::kBeforeStop:
      return v1::PLUGIN_POINT_BEFORE_STOP;
    case PluginPoint::kEnd:
      return v1::PLUGIN_POINT_END;
  }
  return v1::PLUGIN_POINT_UNSPECIFIED;
}

absl::StatusOr<std::optional<PluginPoint>> FromMessage(v1::PluginPoint message) {
  if (message == v1::PLUGIN_POINT_UNSPECIFIED) return std::nullopt;
  for (const PluginPoint point : kPluginPoints) {
    if (ToMessage(point) == message) return point;
  }
  return PointOf(absl::StrCat(static_cast<int>(message))).status();
}

void Fill(const PluginOutput& output, v1::PluginOutput& message) {
  for (const auto& [name, value] : output.values) {
    v1::NamedValue& named = *message.add_values();
    named.set_name(ValidUtf8(name));
    named.set_value(value);
  }
  for (const Histogram& histogram : output.histograms) {
    v1::Histogram& bins = *message.add_histograms();
    bins.set_name(ValidUtf8(histogram.name));
    bins.set_minimum(histogram.minimum);
    bins.set_maximum(histogram.maximum);
    bins.mutable_counts()->Add(histogram.counts.begin(), histogram.counts.end());
  }
  message.set_message(ValidUtf8(output.message));
}

void Fill(const PluginFailure& failure, v1::PluginFailure& message) {
  message.set_message(ValidUtf8(failure.message));
  message.set_failures_in_a_row(failure.failures_in_a_row);
  message.set_detached(failure.detached);
  message.set_paused(failure.paused);
}

}  // namespace

absl::StatusOr<std::optional<Timeline>> FromMessage(v1::Timeline message) {
  if (message == v1::TIMELINE_UNSPECIFIED) return std::nullopt;
  for (const Timeline timeline : kTimelines) {
    if (ToMessage(std::optional<Timeline>(timeline)) == message) return timeline;
  }
  return MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "timeline",
                   absl::StrCat("The trainer knows no timeline ", static_cast<int>(message),
                                ". Is the service newer than the trainer?"));
}

v1::Timeline ToMessage(const std::optional<Timeline>& timeline) {
  if (!timeline.has_value()) return v1::TIMELINE_UNSPECIFIED;
  switch (*timeline) {
    case Timeline::kBatches:
      return v1::TIMELINE_BATCHES;
    case Timeline::kExamples:
      return v1::TIMELINE_EXAMPLES;
    case Timeline::kEpochs:
      return v1::TIMELINE_EPOCHS;
    case Timeline::kWallTime:
      return v1::TIMELINE_WALL_TIME;
    case Timeline::kTrainingTime:
      return v1::TIMELINE_TRAINING_TIME;
  }
  return v1::TIMELINE_UNSPECIFIED;
}

absl::StatusOr<PluginSpec> FromMessage(const v1::PluginSpec& message) {
  PluginSpec spec;
  spec.name = message.name();
  spec.kind = message.kind();
  spec.schedule = message.schedule();
  const absl::StatusOr<std::optional<Timeline>> timeline = FromMessage(message.timeline());
  if (!timeline.ok()) return timeline.status();
  spec.timeline = *timeline;
  const absl::StatusOr<std::optional<PluginPoint>> point = FromMessage(message.point());
  if (!point.ok()) return point.status();
  spec.point = *point;
  spec.settings.insert(message.settings().begin(), message.settings().end());
  if (message.has_priority()) spec.priority = message.priority();
  if (message.has_required()) spec.required = message.required();
  if (message.has_allowance()) spec.allowance = FromMessage(message.allowance());
  spec.max_failures = message.max_failures();
  return spec;
}

v1::PluginSpec ToMessage(const PluginSpec& spec) {
  v1::PluginSpec message;
  message.set_name(spec.name);
  message.set_kind(spec.kind);
  message.set_schedule(spec.schedule);
  message.set_timeline(ToMessage(spec.timeline));
  if (spec.point.has_value()) message.set_point(ToMessage(*spec.point));
  for (const auto& [name, value] : spec.settings) (*message.mutable_settings())[name] = value;
  if (spec.priority.has_value()) message.set_priority(*spec.priority);
  if (spec.required.has_value()) message.set_required(*spec.required);
  if (spec.allowance.has_value()) *message.mutable_allowance() = ToMessage(*spec.allowance);
  message.set_max_failures(spec.max_failures);
  return message;
}

v1::PluginStatus ToMessage(const PluginStatus& status) {
  v1::PluginStatus message;
  *message.mutable_spec() = ToMessage(status.spec);
  message.set_runs(status.runs);
  message.set_failures(status.failures);
  if (status.last_batch.has_value()) message.set_last_batch(*status.last_batch);
  *message.mutable_total_time() = ToMessage(status.total_time);
  *message.mutable_last_time() = ToMessage(status.last_time);
  if (status.next_due.has_value()) message.set_next_due(*status.next_due);
  message.set_now(status.now);
  message.set_built_in(status.built_in);
  message.set_last_failure(ValidUtf8(status.last_failure));
  message.set_attached_batch(status.attached_batch);
  message.set_waits_for(status.waits_for);
  return message;
}

v1::PluginReport ToMessage(const PluginReport& report) {
  v1::PluginReport message;
  message.set_plugin(report.plugin);
  message.set_kind(report.kind);
  if (const auto* output = std::get_if<PluginOutput>(&report.what)) {
    Fill(*output, *message.mutable_output());
  } else {
    Fill(std::get<PluginFailure>(report.what), *message.mutable_failure());
  }
  return message;
}

v1::PluginKind ToMessage(const PluginKind& kind) {
  v1::PluginKind message;
  message.set_name(kind.name);
  message.set_description(kind.description);
  for (const PluginSettingFacts& setting : kind.settings) {
    v1::PluginSetting& facts = *message.add_settings();
    facts.set_name(setting.name);
    facts.set_description(setting.description);
    facts.set_usual(setting.usual);
    facts.set_required(setting.required);
  }
  message.set_usual_schedule(kind.usual_schedule);
  message.set_usual_point(ToMessage(kind.usual_point));
  message.set_usual_priority(kind.usual_priority);
  message.set_required(kind.required);
  return message;
}

}  // namespace pilothouse::trainer
