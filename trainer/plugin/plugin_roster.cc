// Which plugins a host has: attaching, detaching, rescheduling, restoring.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/plugin/attached_plugin.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/saved_plugins.h"
#include "trainer/plugin/spec_completion.h"

namespace pilothouse::trainer {
namespace {

// The file a plugin writes; empty: none.
std::string FileOf(const PluginKind* kind, const PluginSpec& spec) {
  if (kind == nullptr || kind->file_setting.empty()) return "";
  const auto file = spec.settings.find(kind->file_setting);
  return file == spec.settings.end() ? "" : file->second;
}

absl::Status TooManyPlugins() {
  return MakeError(v1::ERROR_REASON_TOO_MANY_PLUGINS, "",
                   absl::StrCat("A run has at most ", kMaxPlugins, " plugins. Detach one before you attach another."),
                   {{"limit", absl::StrCat(kMaxPlugins)}});
}

}  // namespace

int64_t PluginHost::attached() const {
  return std::count_if(plugins_.begin(), plugins_.end(),
                       [](const SharedPlugin& plugin) { return plugin->built_in == nullptr; });
}

void PluginHost::Insert(SharedPlugin plugin) {
  const auto sooner = [](const SharedPlugin& a, const SharedPlugin& b) {
    return a->status.spec.priority.value_or(0) < b->status.spec.priority.value_or(0);
  };
  plugins_.insert(std::upper_bound(plugins_.begin(), plugins_.end(), plugin, sooner), std::move(plugin));
}

void PluginHost::AddBuiltIn(PluginSpec spec, std::unique_ptr<BuiltInPlugin> plugin) {
  auto added = std::make_shared<AttachedPlugin>();
  added->status.spec = std::move(spec);
  added->status.attached_batch = timelines_.Now(Timeline::kBatches);
  added->built_in = plugin.get();
  added->plugin = std::move(plugin);
  added->AskAfter(timelines_.Now(Timeline::kBatches));
  Insert(std::move(added));
  Reconsider();
}

PluginHost::SharedPlugin PluginHost::Named(const std::string& name) const {
  const auto found = std::find_if(plugins_.begin(), plugins_.end(),
                                  [&](const SharedPlugin& plugin) { return plugin->status.spec.name == name; });
  return found == plugins_.end() ? nullptr : *found;
}

std::string PluginHost::FreeName(const std::string& kind) const {
  std::string name = kind;
  for (int number = 2; Named(name) != nullptr; ++number) name = absl::StrCat(kind, "-", number);
  return name;
}

absl::Status PluginHost::CheckAgainstOthers(const CompletedSpec& completed) const {
  const std::string& name = completed.spec.name;
  if (Named(name) != nullptr) {
    return MakeError(v1::ERROR_REASON_PLUGIN_ALREADY_EXISTS, "name",
                     absl::StrCat("The run has a plugin \"", name, "\" already. Choose another name."),
                     {{"name", name}});
  }
  if (attached() >= kMaxPlugins) return TooManyPlugins();
  const std::string file = FileOf(completed.kind, completed.spec);
  for (const SharedPlugin& other : plugins_) {
    if (file.empty() || FileOf(other->kind, other->status.spec) != file) continue;
    return PluginSettings::Invalid(completed.kind->file_setting, file,
                                   absl::StrCat("The plugin \"", other->status.spec.name, "\" writes \"", file,
                                                "\" already. Choose another file."));
  }
  return absl::OkStatus();
}

absl::StatusOr<PluginHost::SharedPlugin> PluginHost::Make(const PluginSpec& spec) const {
  absl::StatusOr<CompletedSpec> completed = CompleteSpec(spec, kinds_, surroundings_);
  if (!completed.ok()) return completed.status();
  if (completed->spec.name.empty()) completed->spec.name = FreeName(completed->spec.kind);
  absl::Status status = CheckAgainstOthers(*completed);
  if (!status.ok()) return status;
  auto made = std::make_shared<AttachedPlugin>();
  status = Guarded([&] {
    absl::StatusOr<std::unique_ptr<Plugin>> plugin = completed->kind->make(completed->settings, surroundings_);
    if (!plugin.ok()) return plugin.status();
    made->plugin = *std::move(plugin);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  made->status.spec = std::move(completed->spec);
  made->status.attached_batch = timelines_.Now(Timeline::kBatches);
  made->kind = completed->kind;
  made->schedule = std::move(completed->schedule);
  made->AskAfter(FirstAskedAfter(*made, made->timeline()));
  return made;
}

Ticks PluginHost::FirstAskedAfter(const AttachedPlugin& plugin, Timeline timeline) const {
  // What has run at the beginning already does not run there again.
  if (plugin.status.runs > 0) return timelines_.Now(timeline);
  return trainer::FirstAskedAfter(plugin.point(), timeline, timelines_);
}

absl::StatusOr<PluginHost::SharedPlugin> PluginHost::MakeToCome(const PluginSpec& spec) const {
  absl::StatusOr<SharedPlugin> made = Make(spec);
  if (!made.ok() || !(*made)->schedule.has_value()) return made;
  const absl::Status comes = CheckComes(*(*made)->schedule, (*made)->asked_through, timelines_);
  if (!comes.ok()) return comes;
  return made;
}

absl::Status PluginHost::Check(const PluginSpec& spec) const { return MakeToCome(spec).status(); }

absl::StatusOr<std::string> PluginHost::Attach(const PluginSpec& spec) {
  absl::StatusOr<SharedPlugin> made = MakeToCome(spec);
  if (!made.ok()) return made.status();
  std::string name = (*made)->status.spec.name;
  Insert(*std::move(made));
  Reconsider();
  return name;
}

void PluginHost::HasRun(const std::string& name) {
  const SharedPlugin plugin = Named(name);
  if (plugin == nullptr || plugin->built_in != nullptr) return;
  plugin->AskAfter(timelines_.Now(plugin->timeline()));
  Reconsider();
}

absl::StatusOr<PluginHost::SharedPlugin> PluginHost::Changeable(const std::string& name) const {
  SharedPlugin plugin = Named(name);
  if (plugin == nullptr) {
    std::vector<std::string> names;
    for (const SharedPlugin& other : plugins_) {
      if (other->built_in == nullptr) names.push_back(other->status.spec.name);
    }
    const std::string known = absl::StrJoin(names, ", ");
    return MakeError(v1::ERROR_REASON_PLUGIN_NOT_FOUND, "name",
                     absl::StrCat("The run has no plugin \"", name, "\". ",
                                  known.empty() ? "It has none" : absl::StrCat("It has: ", known), "."),
                     {{"name", name}, {"known", known}});
  }
  if (plugin->built_in == nullptr) return plugin;
  return MakeError(
      v1::ERROR_REASON_PLUGIN_INVALID, "name",
      absl::StrCat("The plugin \"", name, "\" belongs to the run itself: it can be neither detached nor rescheduled."),
      {{"value", name}});
}

absl::Status PluginHost::Check(const DetachPluginChange& change) const { return Changeable(change.name).status(); }

absl::StatusOr<std::string> PluginHost::Detach(const std::string& name) {
  const absl::StatusOr<SharedPlugin> plugin = Changeable(name);
  if (!plugin.ok()) return plugin.status();
  (*plugin)->attached = false;
  plugins_.erase(std::find(plugins_.begin(), plugins_.end(), *plugin));
  Reconsider();
  return (*plugin)->status.spec.name;
}

absl::StatusOr<Schedule> PluginHost::NewSchedule(const ReschedulePluginChange& change) const {
  const absl::StatusOr<SharedPlugin> plugin = Changeable(change.name);
  if (!plugin.ok()) return plugin.status();
  absl::StatusOr<Schedule> schedule = ParseSchedule(change.schedule, change.timeline, (*plugin)->point());
  if (!schedule.ok()) return schedule;
  const absl::Status comes = CheckComes(*schedule, FirstAskedAfter(**plugin, schedule->timeline()), timelines_);
  if (!comes.ok()) return comes;
  return schedule;
}

absl::Status PluginHost::Check(const ReschedulePluginChange& change) const { return NewSchedule(change).status(); }

absl::StatusOr<std::string> PluginHost::Reschedule(const ReschedulePluginChange& change) {
  absl::StatusOr<Schedule> schedule = NewSchedule(change);
  if (!schedule.ok()) return schedule.status();
  const SharedPlugin plugin = Named(change.name);
  plugin->status.spec.schedule = schedule->text();
  plugin->status.spec.timeline = schedule->timeline();
  plugin->schedule = *std::move(schedule);
  plugin->AskAfter(FirstAskedAfter(*plugin, plugin->timeline()));
  Reconsider();
  return plugin->status.spec.name;
}

void PluginHost::Save(SavedState& state) const {
  std::vector<SavedPlugin> saved;
  for (const SharedPlugin& plugin : plugins_) saved.push_back(plugin->Save(timelines_));
  SavePlugins(std::move(saved), state);
}

absl::Status PluginHost::Restore(const SavedState& state) {
  const absl::StatusOr<std::vector<SavedPlugin>> saved = ReadSavedPlugins(state);
  if (!saved.ok()) return saved.status();
  const std::vector<SharedPlugin> before = plugins_;
  const auto first_to_go = std::stable_partition(
      plugins_.begin(), plugins_.end(), [](const SharedPlugin& plugin) { return plugin->built_in != nullptr; });
  const std::vector<SharedPlugin> gone(first_to_go, plugins_.end());
  plugins_.erase(first_to_go, plugins_.end());
  absl::Status status = RestoreThose(*saved, /*built_in=*/false);
  if (status.ok()) status = RestoreThose(*saved, /*built_in=*/true);
  if (status.ok()) {
    for (const SharedPlugin& plugin : gone) plugin->attached = false;
  } else {
    plugins_ = before;
  }
  Reconsider();
  return status;
}

absl::Status PluginHost::RestoreThose(const std::vector<SavedPlugin>& saved, bool built_in) {
  for (const SavedPlugin& one : saved) {
    if (one.status.built_in != built_in) continue;
    if (absl::Status status = RestoreOne(one); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status PluginHost::RestoreOne(const SavedPlugin& saved) {
  if (saved.status.built_in) {
    const SharedPlugin own = Named(saved.status.spec.name);
    // Another build's run may have others of its own.
    return own == nullptr || own->built_in == nullptr ? absl::OkStatus() : own->Restore(saved);
  }
  // Its schedule may lie in the past by now: it was attached all the same.
  absl::StatusOr<SharedPlugin> made = Make(saved.status.spec);
  if (!made.ok()) return made.status();
  const absl::Status restored = (*made)->Restore(saved);
  if (restored.ok()) Insert(*std::move(made));
  return restored;
}

}  // namespace pilothouse::trainer
