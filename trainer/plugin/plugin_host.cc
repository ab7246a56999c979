#include "trainer/plugin/plugin_host.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "trainer/plugin/attached_plugin.h"
#include "trainer/plugin/plugin_agenda.h"
#include "trainer/plugin/plugin_call.h"

namespace pilothouse::trainer {
namespace {

// As long as a control's note may be, with the mark of what was cut off.
std::string Note(const std::string& text) { return Shortened(ValidUtf8(text), kMaxNoteBytes - sizeof("…")); }

// The last status of a run and its end.json say why a plugin ended it: in no more words than a note.
Change WithShortReason(Change change) {
  if (auto* stop = std::get_if<StopChange>(&change)) stop->message = Note(stop->message);
  return change;
}

// Whether it would be too late at the next boundary: the first batch would be over, the validated parameters be gone.
bool OnlyNow(PluginPoint point) { return point == PluginPoint::kStart || point == PluginPoint::kAfterValidation; }

}  // namespace

PluginHost::PluginHost(const PluginKinds& kinds, PluginSurroundings surroundings, const RunTimelines& timelines,
                       Clock clock)
    : kinds_(kinds),
      surroundings_(std::move(surroundings)),
      timelines_(timelines),
      clock_(std::move(clock)),
      agenda_(std::make_unique<PluginAgenda>()) {
  surroundings_.timelines = &timelines_;
}

PluginHost::~PluginHost() = default;

bool PluginHost::Due(PluginPoint point) const { return agenda_->Due(point, timelines_); }

int64_t PluginHost::next_due_batch() const { return agenda_->next_due_batch(timelines_); }

std::chrono::steady_clock::time_point PluginHost::next_due_moment() const { return agenda_->next_due_moment(); }

void PluginHost::Reconsider() { agenda_->Rebuild(plugins_, timelines_); }

void PluginHost::Run(PluginPoint point, RunView& run, PluginSink& sink, bool idle) {
  if (RunDue(point, run, sink, idle)) Reconsider();
}

bool PluginHost::RunStart(RunView& run, PluginSink& sink) {
  if (!agenda_->starts_wait()) return false;
  Run(PluginPoint::kStart, run, sink);
  return true;
}

bool PluginHost::RunDue(PluginPoint point, RunView& run, PluginSink& sink, bool idle) {
  const auto asked = [&](const SharedPlugin& plugin) {
    return plugin->point() == point && (!idle || plugin->built_in != nullptr) && plugin->IsDue(timelines_);
  };
  // Those that are attached meanwhile are not among them.
  std::vector<SharedPlugin> due;
  std::copy_if(plugins_.begin(), plugins_.end(), std::back_inserter(due), asked);
  bool scheduled = false;
  for (const SharedPlugin& plugin : due) {
    // Those before it may have detached or rescheduled it.
    if (!plugin->attached || !plugin->IsDue(timelines_)) continue;
    scheduled = scheduled || plugin->built_in == nullptr;
    Call(*plugin, run, sink, /*last=*/false);
  }
  return scheduled;
}

void PluginHost::RunLast(RunView& run, PluginSink& sink) {
  const std::vector<SharedPlugin> all = plugins_;
  for (const SharedPlugin& plugin : all) {
    if (plugin->built_in == nullptr) Call(*plugin, run, sink, /*last=*/true);
  }
  Reconsider();
}

void PluginHost::Call(AttachedPlugin& plugin, RunView& run, PluginSink& sink, bool last) {
  const Timeline timeline = plugin.timeline();
  const TimeRange range{timeline, plugin.asked_through, timelines_.Now(timeline)};
  PluginContext context(run, plugin.point(), range, last);
  const int64_t validations = run.validations();
  PluginCall call = CallPlugin(*plugin.plugin, context, plugin.status.spec.allowance.value_or(kUsualAllowance), clock_);
  plugin.Count(call, timelines_);
  for (PluginOutput& output : call.outputs) sink.OnOutput(plugin.status.spec, std::move(output));
  // A validation that is made after a validation is not followed by another round: there would be no end.
  if (!last && run.validations() != validations && plugin.point() != PluginPoint::kAfterValidation) {
    RunDue(PluginPoint::kAfterValidation, run, sink, /*idle=*/false);
  }
  if (last) call.wishes.clear();
  const bool pause = Grant(plugin, call, sink);
  // Unless it counts something else from now on.
  if (call.undone && plugin.timeline() == timeline) plugin.Owe(range.after, timelines_);
  if (call.failure.empty()) {
    plugin.failures_in_a_row = 0;
  } else {
    Fail(plugin, call, sink, last, pause);
  }
}

bool PluginHost::Grant(const AttachedPlugin& plugin, PluginCall& call, PluginSink& sink) {
  for (Wish& wish : call.wishes) {
    const bool ends = std::holds_alternative<StopChange>(wish.change);
    const absl::Status granted =
        sink.OnWish(plugin.status.spec, {WithShortReason(std::move(wish.change)), Note(wish.note)});
    if (granted.ok()) continue;
    call.failure = Shortened(absl::StrCat(call.failure, call.failure.empty() ? "" : " ",
                                          "What it asked for was refused. ", ValidUtf8(granted.message())),
                             kMaxPluginTextBytes);
    call.undone = true;
    // It must not learn on past the batch at which it was to end.
    return ends;
  }
  return false;
}

void PluginHost::Fail(AttachedPlugin& plugin, const PluginCall& call, PluginSink& sink, bool last, bool pause) {
  const PluginSpec& spec = plugin.status.spec;
  ++plugin.status.failures;
  plugin.status.last_failure = call.failure;
  PluginFailure failure{call.failure, ++plugin.failures_in_a_row, false, false};
  const int failures = spec.max_failures > 0 ? spec.max_failures : kUsualMaxFailures;
  const bool enough = !last && plugin.attached && failure.failures_in_a_row >= failures;
  const bool required = spec.required.value_or(false);
  failure.paused = pause || (enough && required) || (!last && required && call.undone && OnlyNow(plugin.point()));
  // One that belongs to the run itself cannot be detached: it goes on failing, and says so.
  failure.detached = enough && !failure.paused && plugin.built_in == nullptr;
  // Somebody who resumes the run gives it as many tries again.
  if (failure.paused) plugin.failures_in_a_row = 0;
  const std::string note =
      Note(absl::StrCat("The plugin \"", spec.name, "\" failed ", failure.failures_in_a_row,
                        failure.failures_in_a_row == 1 ? " time" : " times", " in a row: ", call.failure));
  sink.OnFailure(spec, failure);
  // Neither can be refused.
  if (failure.paused) sink.OnWish(spec, {TargetChange{TargetChange::Kind::kPause, 0}, note}).IgnoreError();
  if (failure.detached) sink.OnWish(spec, {DetachPluginChange{spec.name}, note}).IgnoreError();
}

std::vector<PluginStatus> PluginHost::List() const {
  const bool validated = std::any_of(plugins_.begin(), plugins_.end(), [](const SharedPlugin& plugin) {
    return plugin->kind != nullptr && plugin->kind->validates;
  });
  std::vector<PluginStatus> list;
  for (const SharedPlugin& plugin : plugins_) {
    list.push_back(plugin->Status(timelines_));
    const bool in_vain = plugin->point() == PluginPoint::kAfterValidation && !validated;
    if (in_vain) list.back().waits_for += ", which no plugin makes";
  }
  return list;
}

}  // namespace pilothouse::trainer
