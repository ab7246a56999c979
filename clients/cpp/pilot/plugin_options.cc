// The part of the grammar that is about plugins.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/grammar.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/plugin_grammar.h"
#include "clients/cpp/pilot/plugin_help_text.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {

void Grammar::AddStartPlugins(CLI::App* start) {
  StartArguments& given = arguments_.start;
  AddPluginSpecs(start, [&given](v1::PluginSpec spec) { given.plugins.push_back(std::move(spec)); })->group("Plugins");
}

CLI::Option* Grammar::AddPluginSpecs(CLI::App* app, const std::function<void(v1::PluginSpec)>& take) {
  return AddValuesTo(
      app, "--plugin", ParsePluginSpec, take, "SPEC",
      "Attach a plugin: '[SCHEDULE] KIND [name=value …]', as pilot plugin --help explains; may be repeated");
}

CLI::App* Grammar::AddPluginCommand(CLI::App* plugin, const std::string& name, Command command, const std::string& text,
                                    const std::string& usage, const std::string& footer) {
  CLI::App* const app = plugin->add_subcommand(name, text);
  SetUp(app, "Commands", usage, footer);
  app->final_callback([this, command] { arguments_.command = command; });
  return app;
}

void Grammar::AddPlugins() {
  CLI::App* const plugin = app_.add_subcommand("plugin", kPluginText);
  SetUp(plugin, "Steering", kPluginUsage, kPluginFooter);
  plugin->require_subcommand(1);
  AddPluginAdd(plugin);
  AddPluginSchedule(plugin);
  CLI::App* const remove = AddPluginCommand(plugin, "remove", Command::kPluginRemove, kPluginRemoveText,
                                            "pilot plugin remove [RUN] NAME [OPTIONS]", "");
  AddWords(remove, 1, [this](const std::vector<std::string>& words) {
    arguments_.change.change.mutable_detach_plugin()->set_name(words[0]);
  });
  AddChangeOptions(remove);
  CLI::App* const list = AddPluginCommand(plugin, "list", Command::kPluginList, kPluginListText,
                                          "pilot plugin list [RUN] [OPTIONS]", kPluginListFooter);
  AddRun(list);
  CLI::App* const kinds = AddPluginCommand(plugin, "kinds", Command::kPluginKinds, kPluginKindsText,
                                           "pilot plugin kinds [KIND] [OPTIONS]", kPluginKindsFooter);
  kinds->add_option("KIND", arguments_.plugin_kind)->group("");
}

void Grammar::AddPluginAdd(CLI::App* plugin) {
  CLI::App* const add =
      AddPluginCommand(plugin, "add", Command::kPluginAdd, kPluginAddText, kPluginAddUsage, kPluginAddFooter);
  add->add_option_function<std::vector<std::string>>(
         "WORDS",
         [this](const std::vector<std::string>& words) {
           v1::PluginSpec& spec = *arguments_.change.change.mutable_attach_plugin()->mutable_plugin();
           absl::StatusOr<std::string> run = ParsePluginWords(words, spec);
           if (!run.ok()) Refuse("plugin", run.status());
           arguments_.run = *std::move(run);
         },
         "")
      ->group("");
  AddPluginOptions(add);
  AddChangeOptions(add);
}

void Grammar::AddPluginOptions(CLI::App* add) {
  const auto set = [this](const std::string& name, const std::string& value) {
    v1::PluginSpec& spec = *arguments_.change.change.mutable_attach_plugin()->mutable_plugin();
    if (const absl::Status status = SetPluginOption(name, value, spec); !status.ok()) Refuse("plugin", status);
  };
  const auto option = [add, &set](const std::string& flag, const std::string& name, const std::string& type,
                                  const std::string& description) {
    add->add_option_function<std::string>(
           flag, [set, name](const std::string& value) { set(name, value); }, description)
        ->type_name(type);
  };
  option("--timeline", "timeline", "TIMELINE",
         "What the schedule counts: batches, examples, epochs, wall_time or training_time (default: as its units say)");
  option("--point", "point", "POINT",
         "Where: start, before_batch, after_batch, after_validation, before_stop or end (default: as is usual)");
  option("--name", "name", "NAME", "What it is called in this run (default: the kind, with a number if that is taken)");
  option("--priority", "priority", "N", "Of those due together, the lower one runs first: -1000 to 1000");
  option("--allowance", "allowance", "TIME", "A call that takes longer has failed: up to 1h (default 10s)");
  option("--max-failures", "max_failures", "N", "Detach it after so many failures in a row (default 3)");
  add->add_flag_callback(
      "--required", [set] { set("required", "yes"); }, "It must not be missed: the run pauses rather than detach it");
}

void Grammar::AddPluginSchedule(CLI::App* plugin) {
  CLI::App* const schedule = AddPluginCommand(plugin, "schedule", Command::kPluginSchedule, kPluginScheduleText,
                                              kPluginScheduleUsage, kPluginScheduleFooter);
  v1::Change& change = arguments_.change.change;
  schedule
      ->add_option_function<std::vector<std::string>>(
          "WORDS",
          [this, &change](const std::vector<std::string>& words) {
            absl::StatusOr<ScheduleWords> parsed = ParseScheduleWords(words);
            if (!parsed.ok()) Refuse("schedule", parsed.status());
            arguments_.run = parsed->run;
            change.mutable_reschedule_plugin()->set_name(parsed->name);
            change.mutable_reschedule_plugin()->set_schedule(parsed->schedule);
          },
          "")
      ->group("");
  schedule
      ->add_option_function<std::string>(
          "--timeline",
          [&change](const std::string& text) {
            const absl::StatusOr<v1::Timeline> timeline = ParseTimeline(text);
            if (!timeline.ok()) Refuse("--timeline", timeline.status());
            change.mutable_reschedule_plugin()->set_timeline(*timeline);
          },
          "What the schedule counts: batches, examples, epochs, wall_time or training_time (default: as its units say)")
      ->type_name("TIMELINE");
  AddChangeOptions(schedule);
}

}  // namespace pilothouse::client
