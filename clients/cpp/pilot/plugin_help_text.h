// What the help says about plugins beside the list of options. The first line of a command's text is its entry in the
// list of commands.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_HELP_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_HELP_TEXT_H_

namespace pilothouse::client {

inline constexpr char kPluginText[] =
    R"(Attach, list and detach plugins
A plugin runs between two batches of a run whenever its schedule comes: it validates, saves the best parameters, lowers
eta, ends a run that learns no more. Its kind says what it does, its schedule when, its settings how. What a plugin
changes is a control like any other: `pilot watch` shows it, with its batch and the plugin's name.)";

inline constexpr char kPluginUsage[] = "pilot plugin COMMAND [OPTIONS]";

inline constexpr char kPluginFooter[] =
    R"(A plugin is written [SCHEDULE] KIND [name=value …], here and in pilot start --plugin 'SPEC'. In a SPEC, words are split
as a shell does, and the options of `plugin add` are written as settings are: timeline=…, point=…, priority=…, name=…,
required=yes, allowance=…, max_failures=….

A schedule is a set of times. A plugin is asked between two batches, and runs once if a time of the set has come since
it was asked last, however many have:
  each(N)        every multiple of N           at(A, B, …)  these times
  from(A)        A and all later times         until(B)     B and all earlier times
  always, never  all times; none               ~S           all times that are not in S
  S & T          times that are in both        S | T        times that are in either; & binds tighter, ( ) group
Numbers may have a unit: 30 s, 5 min, 2 h, 1 d, 100 ms, 1000 examples, 5 epochs, 10 batches. `always` is every time the
plugin could be asked: after every batch, or, at the point after_validation, after every validation.

A timeline is what a schedule counts: batches, examples, epochs, wall_time (since the run began) or training_time (wall
time less time in plugins, validation and waiting). Left out: as the units say (times are wall time); without units,
batches.

A point is where in a run's life a plugin runs: start, before_batch, after_batch (usual for most kinds),
after_validation (when any plugin has validated), before_stop, end. start, before_stop and end come once and take no
schedule.

Settings that name what to look at (metric=…) take: batch, target, loss, examples, epoch, wall_time, training_time
(seconds), or the name of a knob, such as eta; and what validations score: validation_loss, validation_accuracy,
validation_balanced_accuracy, validation_roc_auc (of two classes), validation_r2, validation_mae.

Examples:
  Measure the network on examples held out, every 100 batches, and keep the best parameters:
    pilot start … --validation 20% --plugin 'each(100) validate' --plugin 'save-best metric=validation_loss'
  End the run when it learns no more (it looks at each validation, so there has to be one that validates):
    pilot plugin add digits early-stopping patience=5
  Say something every half a minute, but not in the first hour:
    pilot plugin add digits 'each(30 s) & from(1 h)' notify message='still here' --name reminder
  Save a checkpoint every 5 epochs, and pause the run rather than go on without:
    pilot plugin add digits 'each(5 epochs)' checkpoint --required
  Validate less often from now on:
    pilot plugin schedule digits validate 'each(1000) | at(50, 70)')";

inline constexpr char kPluginAddText[] =
    R"(Attach a plugin to a run that goes on
The receipt says after which batch it is attached, and what it is called. Without a schedule it runs when its kind
usually does; `pilot plugin kinds` lists the kinds with their settings, `pilot plugin --help` explains schedules.)";

inline constexpr char kPluginAddUsage[] = "pilot plugin add [RUN] [SCHEDULE] KIND [name=value …] [OPTIONS]";

inline constexpr char kPluginAddFooter[] = R"(Examples:
  pilot plugin add digits 'each(100)' save-best
  pilot plugin add digits 'each(1000)' validate --timeline examples --name often
  pilot plugin add digits reduce-eta factor=0.5 patience=3 --at-batch 4000)";

inline constexpr char kPluginRemoveText[] =
    R"(Detach a plugin
By its name, which `pilot plugin list` shows. Those marked * are part of the run itself and stay.)";

inline constexpr char kPluginScheduleText[] =
    R"(Give a plugin another schedule
It counts from where the run is: times that have passed do not come again.)";

inline constexpr char kPluginScheduleUsage[] = "pilot plugin schedule [RUN] NAME SCHEDULE [OPTIONS]";

inline constexpr char kPluginScheduleFooter[] = R"(Examples:
  pilot plugin schedule digits validate 'each(50)'
  pilot plugin schedule digits validate 'each(2)' --timeline epochs)";

inline constexpr char kPluginListText[] =
    R"(List the plugins of a run
In the order in which they run when they are due together: when each ran last and is next due, how often it ran and
failed, and how long a call takes on average. RUN may be an unambiguous beginning of a run's id.)";

inline constexpr char kPluginListFooter[] = R"(Examples:
  pilot plugin list digits
  pilot plugin list digits --json | jq '.plugins[] | {name, next_due}')";

inline constexpr char kPluginKindsText[] =
    R"(List the kinds of plugins, with their settings
Needs no run.)";

inline constexpr char kPluginKindsFooter[] = R"(Examples:
  pilot plugin kinds
  pilot plugin kinds early-stopping)";

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_HELP_TEXT_H_
