#include "clients/cpp/testing/fake_changes.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::client {
namespace {

// Whatever the schedule is.
constexpr double kScheduledEta = 0.1;

auto Find(const v1::Run& run, const std::string& name) {
  return std::find_if(run.plugins().begin(), run.plugins().end(),
                      [&name](const v1::PluginStatus& plugin) { return plugin.spec().name() == name; });
}

std::string NameOf(const v1::Change& change) {
  if (change.has_detach_plugin()) return change.detach_plugin().name();
  if (change.has_reschedule_plugin()) return change.reschedule_plugin().name();
  const v1::PluginSpec& spec = change.attach_plugin().plugin();
  return spec.name().empty() ? spec.kind() : spec.name();
}

absl::Status CheckSchedule(const std::string& schedule) {
  if (!absl::StrContains(schedule, "(") || absl::StrContains(schedule, ")")) return absl::OkStatus();
  const std::string position = absl::StrCat(schedule.size() + 1);
  return MakeError(v1::ERROR_REASON_SCHEDULE_INVALID, "schedule", "a \")\" is missing.",
                   {{"schedule", schedule}, {"position", position}});
}

bool IsPluginChange(const v1::Change& change) {
  return change.has_attach_plugin() || change.has_detach_plugin() || change.has_reschedule_plugin();
}

absl::Status CheckPluginChange(const v1::Run& run, const v1::Change& change) {
  const std::string name = NameOf(change);
  const bool found = Find(run, name) != run.plugins().end();
  if (!change.has_attach_plugin()) {
    if (found) return CheckSchedule(change.reschedule_plugin().schedule());
    return MakeError(v1::ERROR_REASON_PLUGIN_NOT_FOUND, "name", absl::StrCat("no plugin is named ", name, "."),
                     {{"name", name}});
  }
  if (found) {
    return MakeError(v1::ERROR_REASON_PLUGIN_ALREADY_EXISTS, "plugin.name",
                     absl::StrCat("a plugin is named ", name, " already."), {{"name", name}});
  }
  const std::string& kind = change.attach_plugin().plugin().kind();
  if (kind != "notify" && kind != "validate") {
    return MakeError(v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN, "plugin.kind", "the kinds are notify and validate.",
                     {{"kind", kind}, {"known", "notify, validate"}});
  }
  return CheckSchedule(change.attach_plugin().plugin().schedule());
}

std::string ApplyPluginChange(const v1::Change& change, v1::Run& run) {
  const std::string name = NameOf(change);
  if (change.has_attach_plugin()) {
    v1::PluginStatus& plugin = *run.add_plugins();
    *plugin.mutable_spec() = change.attach_plugin().plugin();
    plugin.mutable_spec()->set_name(name);
    plugin.set_attached_batch(run.batch());
    if (plugin.spec().point() == v1::PLUGIN_POINT_AFTER_VALIDATION) {
      plugin.set_waits_for("a validation, which no plugin makes");
    }
    return name;
  }
  const int at = static_cast<int>(Find(run, name) - run.plugins().begin());
  if (change.has_detach_plugin()) {
    run.mutable_plugins()->DeleteSubrange(at, 1);
  } else {
    run.mutable_plugins(at)->mutable_spec()->set_schedule(change.reschedule_plugin().schedule());
    run.mutable_plugins(at)->mutable_spec()->set_timeline(change.reschedule_plugin().timeline());
  }
  return name;
}

absl::Status CheckRewind(const v1::Run& run, const v1::RewindChange& change) {
  if (change.batch() > run.batch()) {
    return MakeError(v1::ERROR_REASON_BATCH_OUT_OF_RANGE, "batch",
                     absl::StrCat("the run has come to batch ", run.batch(), "."),
                     {{"batch", absl::StrCat(change.batch())}, {"last_batch", absl::StrCat(run.batch())}});
  }
  const bool taken = std::any_of(run.branches().begin(), run.branches().end(),
                                 [&change](const v1::Branch& branch) { return branch.name() == change.branch(); });
  if (!taken) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_BRANCH_ALREADY_EXISTS, "branch",
                   absl::StrCat("a branch is named ", change.branch(), " already."), {{"branch", change.branch()}});
}

std::string AddBranch(const v1::RewindChange& change, v1::Run& run) {
  v1::Branch& branch = *run.add_branches();
  branch.set_name(change.branch().empty() ? absl::StrCat("rewind-", run.branches_size()) : change.branch());
  branch.set_from_batch(change.batch());
  branch.set_through_batch(run.batch());
  *branch.mutable_time() = run.create_time();
  return branch.name();
}

double NewValue(const v1::Run& run, const v1::Change& change) {
  if (change.knob().follow_schedule()) return kScheduledEta;
  if (change.has_knob()) return change.knob().value();
  if (IsPluginChange(change)) return static_cast<double>(run.plugins_size());
  if (change.has_rewind()) return static_cast<double>(change.rewind().batch());
  if (change.has_stop() || change.has_checkpoint()) return static_cast<double>(run.batch());
  switch (change.target().goal_case()) {
    case v1::TargetChange::kBatch:
      return static_cast<double>(change.target().batch());
    case v1::TargetChange::kMore:
      return static_cast<double>(run.batch() + change.target().more());
    case v1::TargetChange::kResume:
      return static_cast<double>(run.resume_target());
    default:
      return static_cast<double>(run.batch());
  }
}
}  // namespace

bool HasEnded(const v1::Run& run) {
  return run.status() == v1::RUN_STATUS_STOPPED || run.status() == v1::RUN_STATUS_COMPLETED ||
         run.status() == v1::RUN_STATUS_FAILED;
}

absl::Status CheckChange(const v1::Run& run, const v1::Change& change) {
  if (HasEnded(run)) {
    return MakeError(v1::ERROR_REASON_RUN_ENDED, "run_id", absl::StrCat(run.run_id(), " has ended."),
                     {{"run_id", run.run_id()}});
  }
  if (change.has_knob() && change.knob().name() != "eta" && change.knob().name() != "loss_every") {
    return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, "name", "the run has the knobs eta and loss_every.",
                     {{"name", change.knob().name()}});
  }
  if (change.has_rewind()) return CheckRewind(run, change.rewind());
  return IsPluginChange(change) ? CheckPluginChange(run, change) : absl::OkStatus();
}

void ApplyChange(const v1::Change& change, v1::Run& run, v1::ControlReport& report) {
  report.set_previous_value(change.has_knob()        ? run.eta()
                            : IsPluginChange(change) ? static_cast<double>(run.plugins_size())
                                                     : static_cast<double>(run.target()));
  if (IsPluginChange(change)) report.set_plugin(ApplyPluginChange(change, run));
  if (change.has_rewind()) report.set_branch(AddBranch(change.rewind(), run));
  report.set_value(NewValue(run, change));
  if (change.has_knob() && change.knob().name() == "eta") {
    run.set_eta(report.value());
    run.set_eta_follows_schedule(change.knob().follow_schedule());
  }
  if (change.has_target()) run.set_target(static_cast<int64_t>(report.value()));
}

v1::ListPluginKindsResponse FakePluginKinds() {
  v1::ListPluginKindsResponse response;
  v1::PluginKind& notify = *response.add_kinds();
  notify.set_name("notify");
  notify.set_description("Says something, so that a person who watches sees that a time has come.");
  v1::PluginSetting& message = *notify.add_settings();
  message.set_name("message");
  message.set_description("what to say");
  message.set_required(true);
  notify.set_usual_schedule("always");
  notify.set_usual_point(v1::PLUGIN_POINT_AFTER_BATCH);
  v1::PluginKind& validate = *response.add_kinds();
  validate.set_name("validate");
  validate.set_description("Measures the network on the examples held out.");
  v1::PluginSetting& limit = *validate.add_settings();
  limit.set_name("examples");
  limit.set_description("measure on so many of the examples held out at most, from 1 on; 0 takes all of them");
  limit.set_usual("0");
  validate.set_usual_schedule("each(100)");
  validate.set_usual_point(v1::PLUGIN_POINT_AFTER_BATCH);
  return response;
}

}  // namespace pilothouse::client
