#include "trainer/channel/messages.h"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"
#include "proto/support/text.h"
#include "trainer/channel/plugin_messages.h"

namespace pilothouse::trainer {
namespace {

google::protobuf::Timestamp ToTimestamp(WallTime time) {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto since_epoch = time.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since_epoch);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(whole.count());
  timestamp.set_nanos(static_cast<int>(std::chrono::duration_cast<nanoseconds>(since_epoch - whole).count()));
  return timestamp;
}

v1::RunStatus ToMessage(RunStatus status) {
  switch (status) {
    case RunStatus::kTraining:
      return v1::RUN_STATUS_TRAINING;
    case RunStatus::kIdle:
      return v1::RUN_STATUS_IDLE;
    case RunStatus::kStopping:
      return v1::RUN_STATUS_STOPPING;
    case RunStatus::kStopped:
      return v1::RUN_STATUS_STOPPED;
    case RunStatus::kCompleted:
      return v1::RUN_STATUS_COMPLETED;
    case RunStatus::kFailed:
      return v1::RUN_STATUS_FAILED;
  }
  return v1::RUN_STATUS_UNSPECIFIED;
}

v1::IdleReason ToMessage(IdleReason reason) {
  switch (reason) {
    case IdleReason::kNone:
      return v1::IDLE_REASON_UNSPECIFIED;
    case IdleReason::kTargetReached:
      return v1::IDLE_REASON_TARGET_REACHED;
    case IdleReason::kPaused:
      return v1::IDLE_REASON_PAUSED;
    case IdleReason::kDiverged:
      return v1::IDLE_REASON_DIVERGED;
  }
  return v1::IDLE_REASON_UNSPECIFIED;
}

v1::TargetChange ToMessage(const TargetChange& change) {
  v1::TargetChange message;
  switch (change.kind) {
    case TargetChange::Kind::kBatch:
      message.set_batch(change.count);
      break;
    case TargetChange::Kind::kMore:
      message.set_more(change.count);
      break;
    case TargetChange::Kind::kPause:
      message.mutable_pause();
      break;
    case TargetChange::Kind::kResume:
      message.mutable_resume();
      break;
  }
  return message;
}

// What a change is, written into a message.
struct ChangeWriter {
  v1::Change& message;

  void operator()(const KnobChange& change) const {
    message.mutable_knob()->set_name(change.name);
    message.mutable_knob()->set_value(change.value);
    message.mutable_knob()->set_follow_schedule(change.follow_schedule);
  }
  void operator()(const TargetChange& change) const { *message.mutable_target() = ToMessage(change); }
  void operator()(const StopChange&) const { message.mutable_stop(); }
  void operator()(const AttachPluginChange& change) const {
    *message.mutable_attach_plugin()->mutable_plugin() = ToMessage(change.spec);
  }
  void operator()(const DetachPluginChange& change) const { message.mutable_detach_plugin()->set_name(change.name); }
  void operator()(const ReschedulePluginChange& change) const {
    v1::ReschedulePluginChange& reschedule = *message.mutable_reschedule_plugin();
    reschedule.set_name(change.name);
    reschedule.set_schedule(change.schedule);
    reschedule.set_timeline(ToMessage(change.timeline));
  }
  void operator()(const ParametersChange& change) const {
    v1::ParametersChange& parameters = *message.mutable_parameters();
    parameters.set_file(change.file);
    parameters.set_sha256(change.sha256);
    parameters.set_from_run_id(change.from_run_id);
    parameters.set_from_batch(change.from_batch);
  }
  void operator()(const CheckpointChange& change) const { message.mutable_checkpoint()->set_pin(change.pin); }
  void operator()(const RewindChange& change) const {
    message.mutable_rewind()->set_batch(change.batch);
    message.mutable_rewind()->set_branch(change.branch);
  }
};

google::protobuf::Duration ToDuration(std::chrono::nanoseconds duration) {
  google::protobuf::Duration message;
  message.set_seconds(duration.count() / std::nano::den);
  message.set_nanos(static_cast<int>(duration.count() % std::nano::den));
  return message;
}

void Write(const CheckpointOutcome& outcome, v1::CheckpointReport& message) {
  const CheckpointFacts& facts = outcome.facts;
  message.set_batch(facts.batch);
  message.set_controls(facts.controls);
  message.set_line(facts.line);
  message.set_pinned(facts.pinned);
  message.set_request_id(facts.request_id);
  if (facts.validation_loss.has_value()) message.set_validation_loss(*facts.validation_loss);
  *message.mutable_held_up() = ToDuration(facts.held_up);
  *message.mutable_writing() = ToDuration(outcome.writing);
  if (!outcome.status.ok()) {
    message.set_error(ValidUtf8(std::string(outcome.status.message())));
    return;
  }
  message.set_file(outcome.file);
  message.set_sha256(outcome.sha256);
  message.set_state_sha256(outcome.state_sha256);
  message.set_bytes(outcome.bytes);
}

// What a report says, written into an event.
struct EventWriter {
  v1::Event& event;

  void operator()(const LossReport& loss) const {
    event.mutable_loss()->set_value(loss.value);
    event.mutable_loss()->set_at_target(loss.at_target);
    event.mutable_loss()->set_eta(loss.eta);
  }
  void operator()(const StatusReport& status) const {
    v1::StatusReport& message = *event.mutable_status();
    message.set_status(ToMessage(status.status));
    message.set_idle_reason(ToMessage(status.idle_reason));
    message.set_message(ValidUtf8(status.message));
    message.set_target(status.target);
    message.set_loss(status.loss);
  }
  void operator()(const ControlReport& report) const {
    v1::ControlReport& message = *event.mutable_control();
    std::visit(ChangeWriter{*message.mutable_change()}, report.control.change);
    message.set_request_id(report.control.request_id);
    message.set_origin(report.control.origin);
    message.set_note(report.control.note);
    message.set_value(report.value);
    message.set_previous_value(report.previous_value);
    if (report.control.at_batch.has_value()) message.set_at_batch(*report.control.at_batch);
    message.set_plugin(report.plugin);
    if (const auto* rewind = std::get_if<RewindChange>(&report.control.change)) message.set_branch(rewind->branch);
  }
  void operator()(const CheckpointReport& report) const { Write(report.outcome, *event.mutable_checkpoint()); }
  void operator()(const StateReport& state) const {
    v1::StateReport& message = *event.mutable_state();
    *message.mutable_state() = ToMessage(state.model->State());
    message.set_eta(state.eta);
    message.set_loss(state.loss);
    message.set_asked(state.asked);
  }
  void operator()(const PluginReport& report) const { *event.mutable_plugin() = ToMessage(report); }
};

void AddKnobs(const Knobs& knobs, google::protobuf::RepeatedPtrField<v1::Knob>& messages) {
  for (const KnobFacts& knob : knobs.Facts()) {
    v1::Knob& message = *messages.Add();
    message.set_name(knob.name);
    message.set_value(knob.value);
    message.set_minimum(knob.minimum);
    message.set_maximum(knob.maximum);
    message.set_integer(knob.integer);
    message.set_description(knob.description);
    message.set_follows_schedule(knob.follows_schedule);
  }
}

void AddPlugins(const std::vector<PluginStatus>& plugins,
                google::protobuf::RepeatedPtrField<v1::PluginStatus>& messages) {
  for (const PluginStatus& plugin : plugins) *messages.Add() = ToMessage(plugin);
}

absl::Status UnknownChange() {
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, "change",
                   "The trainer knows no such change. Is the service newer than the trainer?");
}

absl::StatusOr<Change> FromMessage(const v1::TargetChange& change) {
  switch (change.goal_case()) {
    case v1::TargetChange::kBatch:
      return TargetChange{TargetChange::Kind::kBatch, change.batch()};
    case v1::TargetChange::kMore:
      return TargetChange{TargetChange::Kind::kMore, change.more()};
    case v1::TargetChange::kPause:
      return TargetChange{TargetChange::Kind::kPause, 0};
    case v1::TargetChange::kResume:
      return TargetChange{TargetChange::Kind::kResume, 0};
    case v1::TargetChange::GOAL_NOT_SET:
      break;
  }
  return UnknownChange();
}

absl::StatusOr<Change> FromMessage(const v1::Change& change) {
  switch (change.kind_case()) {
    case v1::Change::kKnob:
      return KnobChange{change.knob().name(), change.knob().value(), change.knob().follow_schedule()};
    case v1::Change::kTarget:
      return FromMessage(change.target());
    case v1::Change::kStop:
      return StopChange{};
    case v1::Change::kAttachPlugin: {
      absl::StatusOr<PluginSpec> spec = trainer::FromMessage(change.attach_plugin().plugin());
      if (!spec.ok()) return WithFieldPrefix(spec.status(), "plugin");
      return AttachPluginChange{*std::move(spec)};
    }
    case v1::Change::kDetachPlugin:
      return DetachPluginChange{change.detach_plugin().name()};
    case v1::Change::kReschedulePlugin: {
      const absl::StatusOr<std::optional<Timeline>> timeline =
          trainer::FromMessage(change.reschedule_plugin().timeline());
      if (!timeline.ok()) return timeline.status();
      return ReschedulePluginChange{change.reschedule_plugin().name(), change.reschedule_plugin().schedule(),
                                    *timeline};
    }
    case v1::Change::kCheckpoint:
      return CheckpointChange{change.checkpoint().pin()};
    case v1::Change::kRewind:
      return RewindChange{change.rewind().batch(), change.rewind().branch()};
    case v1::Change::kParameters:
      return ParametersChange{change.parameters().file(), change.parameters().sha256(),
                              change.parameters().from_run_id(), change.parameters().from_batch()};
    case v1::Change::KIND_NOT_SET:
      break;
  }
  return UnknownChange();
}

}  // namespace

absl::StatusOr<Control> FromMessage(const v1::Control& message) {
  // Only plugins ask for this, and they are in the trainer.
  if (message.change().has_parameters()) return UnknownChange();
  absl::StatusOr<Change> change = FromMessage(message.change());
  if (!change.ok()) return change.status();
  Control control{message.request_id(), *std::move(change), std::nullopt, message.origin(), message.note()};
  if (message.has_at_batch()) control.at_batch = message.at_batch();
  return control;
}

absl::StatusOr<Control> FromJournal(const v1::ControlReport& report) {
  absl::StatusOr<Change> change = FromMessage(report.change());
  if (!change.ok()) return change.status();
  if (auto* stop = std::get_if<StopChange>(&*change)) {
    absl::string_view plugin = report.origin();
    stop->completed = absl::ConsumePrefix(&plugin, kPluginOrigin);
    stop->message = stop->completed ? absl::StrCat(plugin, ": ", report.note()) : "";
  }
  return Control{report.request_id(), *std::move(change), std::nullopt, report.origin(), report.note()};
}

v1::Report ToMessage(const NumberedReport& numbered) {
  const Report& report = *numbered.report;
  v1::Report message;
  message.set_number(numbered.number);
  v1::Event& event = *message.mutable_event();
  event.set_batch(report.batch);
  *event.mutable_time() = ToTimestamp(report.time);
  std::visit(EventWriter{event}, report.kind);
  if (report.knobs.has_value()) AddKnobs(*report.knobs, *message.mutable_knobs());
  message.set_resume_target(report.resume_target);
  message.set_has_plugins(report.plugins.has_value());
  if (report.plugins.has_value()) AddPlugins(*report.plugins, *message.mutable_plugins());
  return message;
}

v1::TrainerHeartbeat ToMessage(const Heartbeat& heartbeat) {
  v1::TrainerHeartbeat message;
  message.set_batch(heartbeat.batch);
  message.set_loss(heartbeat.loss);
  *message.mutable_time() = ToTimestamp(heartbeat.time);
  return message;
}

v1::ControlRefused ToMessage(const Refusal& refusal) {
  v1::ControlRefused message;
  message.set_request_id(refusal.request_id);
  *message.mutable_error() = ToError(refusal.error);
  return message;
}

v1::Tensor ToMessage(const NumberArray& array) {
  return std::visit([&](const auto& values) { return MakeTensor(values, array.shape); }, array.values);
}

v1::Prepared ToMessage(const LearnerFacts& facts, const Knobs& knobs) {
  v1::Prepared message;
  v1::RunFacts& run = *message.mutable_facts();
  run.set_examples(facts.examples);
  run.set_inputs(facts.inputs);
  run.set_outputs(facts.outputs);
  run.set_parameters(facts.parameters);
  run.set_batches_per_epoch(facts.batches_per_epoch);
  run.set_validation_examples(facts.validation_examples);
  run.set_test_examples(facts.test_examples);
  run.mutable_input_names()->Assign(facts.input_names.begin(), facts.input_names.end());
  for (const LayerFacts& layer : facts.layers) {
    v1::LayerSummary& summary = *run.add_layers();
    summary.set_description(layer.description);
    summary.set_outputs(layer.outputs);
    summary.set_parameters(layer.parameters);
  }
  AddKnobs(knobs, *message.mutable_knobs());
  return message;
}

v1::EvaluateAnswer ToMessage(const Validation& scores) {
  v1::EvaluateAnswer message;
  message.set_batch(scores.batch);
  message.set_examples(scores.examples);
  const auto add = [&message](const std::string& name, double value) {
    v1::NamedValue& added = *message.add_values();
    added.set_name(name);
    added.set_value(value);
  };
  add("loss", scores.loss);
  for (const ScoreFacts& score : ScoresOfValidations()) {
    if (const std::optional<double>& value = scores.*score.value; value.has_value()) add(score.name, *value);
  }
  for (const auto& [name, value] : ConfusionValues(scores)) add(name, value);
  return message;
}

HeldOutPart FromMessage(v1::DataPart part) {
  return part == v1::DATA_PART_VALIDATION ? HeldOutPart::kValidation : HeldOutPart::kTest;
}

v1::StateAnswer ToMessage(const RunSnapshot& snapshot) {
  v1::StateAnswer message;
  message.set_batch(snapshot.batch);
  message.set_target(snapshot.target);
  message.set_resume_target(snapshot.resume_target);
  message.set_loss(snapshot.loss);
  message.set_status(ToMessage(snapshot.status));
  message.set_idle_reason(ToMessage(snapshot.idle_reason));
  AddKnobs(snapshot.knobs, *message.mutable_knobs());
  AddPlugins(snapshot.plugins, *message.mutable_plugins());
  if (snapshot.model != nullptr) *message.mutable_state() = ToMessage(snapshot.model->State());
  return message;
}

NumberArray ToNumberArray(const v1::Tensor& tensor) {
  NumberArray array{{tensor.shape().begin(), tensor.shape().end()}, {}};
  if (tensor.element_type() == v1::ELEMENT_TYPE_FLOAT32) {
    array.values = ToFloats(tensor);
  } else {
    array.values = ToDoubles(tensor);
  }
  return array;
}

}  // namespace pilothouse::trainer
