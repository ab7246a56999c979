// The part of the grammar that is about checkpoints, and about going back and branching off.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/pilot/grammar.h"
#include "clients/cpp/pilot/lineage_help_text.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

constexpr char kGroup[] = "Saving, going back, branching off";

}  // namespace

void Grammar::AddStartCheckpoints(CLI::App* start) {
  StartArguments& given = arguments_.start;
  v1::CheckpointSpec& spec = given.checkpoints;
  const auto group = [](CLI::Option* option) { option->group("Checkpoints"); };
  group(AddValue(start, "--checkpoint-interval", ParseDuration, &given.checkpoint_interval, "TIME",
                 "Make one when the last is so old; 0: none by time (default 60s)"));
  group(AddValueTo(
      start, "--checkpoint-every", ParseCount, [&spec](int64_t every) { spec.set_every(every); }, "N",
      "Make one every N batches too"));
  group(AddValueTo(
      start, "--keep-checkpoints", ParseCount,
      [&spec](int64_t count) {
        // A number that is too large is the service's to refuse, with its limit.
        spec.set_keep_last(static_cast<int32_t>(std::min<int64_t>(count, std::numeric_limits<int32_t>::max())));
      },
      "K", "Keep the newest K (default 3)"));
  group(AddValueTo(
      start, "--keep-checkpoint-every", ParseCount, [&spec](int64_t every) { spec.set_keep_every(every); }, "N",
      "Keep those of every Nth batch too"));
  CLI::Option* const best = start->add_flag_callback(
      "--keep-best", [&spec] { spec.set_keep_best(true); },
      "Keep the one with the lowest validation loss (default where examples are held out)");
  CLI::Option* const no_best = start->add_flag_callback(
      "--no-keep-best", [&spec] { spec.set_keep_best(false); }, "Do not keep it for that");
  no_best->excludes(best);
  group(best);
  group(no_best);
}

void Grammar::AddLineage() {
  AddCheckpoint();
  AddRewind();
  AddFork();
  AddReplay();
}

void Grammar::AddCheckpoint() {
  v1::Change& change = arguments_.change.change;
  CLI::App* const checkpoint = AddCommand("checkpoint", Command::kCheckpoint, kGroup, kCheckpointText,
                                          "pilot checkpoint [RUN] [OPTIONS]", kCheckpointFooter);
  AddRun(checkpoint);
  checkpoint->add_flag_callback(
      "--pin", [&change] { change.mutable_checkpoint()->set_pin(true); }, "Keep it for as long as the run");
  AddChangeOptions(checkpoint, "--at,--at-batch");
  CLI::App* const checkpoints = AddCommand("checkpoints", Command::kCheckpoints, kGroup, kCheckpointsText,
                                           "pilot checkpoints [RUN] [OPTIONS]", "");
  AddRun(checkpoints);
}

void Grammar::AddRewind() {
  CLI::App* const rewind = AddCommand("rewind", Command::kRewind, kGroup, kRewindText,
                                      "pilot rewind [RUN] BATCH|best [OPTIONS]", kRewindFooter);
  AddWords(rewind, 1, [this](const std::vector<std::string>& words) {
    const absl::StatusOr<std::optional<int64_t>> batch = ParseBatchOrBest(words[0]);
    if (!batch.ok()) Refuse("batch", batch.status());
    arguments_.change.to_best = !batch->has_value();
    arguments_.change.change.mutable_rewind()->set_batch(batch->value_or(0));
  });
  AddText(rewind, "--branch", &arguments_.change.branch, "NAME",
          "What to call what came after (default: rewind-1, rewind-2, …)");
  AddChangeOptions(rewind);
}

void Grammar::AddFork() {
  ForkArguments& given = arguments_.fork;
  v1::ForkRequest& request = given.request;
  CLI::App* const fork =
      AddCommand("fork", Command::kFork, kGroup, kForkText, "pilot fork [RUN] [OPTIONS]", kForkFooter);
  AddRun(fork);
  const auto from = [](CLI::Option* option) { option->group("From where"); };
  from(AddValueTo(
      fork, "--at", ParseBatchOrBest,
      [&given](std::optional<int64_t> batch) {
        given.at_best = !batch.has_value();
        if (batch.has_value()) given.request.set_batch(*batch);
      },
      "BATCH|best", "Go on from after this batch, or the one whose parameters are the best (default: the newest)"));
  from(AddText(fork, "--branch", request.mutable_branch(), "NAME", "Of this branch (default: the present line)"));
  AddForkChanges(fork);
  AddForkThen(fork);
}

void Grammar::AddForkThen(CLI::App* fork) {
  ForkArguments& given = arguments_.fork;
  v1::ForkRequest& request = given.request;
  const auto then = [](CLI::Option* option) { option->group("Then"); };
  then(AddText(fork, "--name", request.mutable_new_run_id(), "RUN",
               "The new run's id: lower-case letters, digits and -, at most 63 (default: the service chooses)"));
  then(AddValueTo(
      fork, "--batch-to", ParseTarget,
      [&request](const v1::TargetChange& target) {
        if (target.has_more()) {
          request.set_more(target.more());
        } else {
          request.set_target(target.batch());
        }
      },
      "N|+N", "Train up to this batch at once, or so many more than where it begins (default: wait)"));
  then(fork->add_flag("--watch", given.watch, "Watch the new run"));
  then(AddText(fork, "--request-id", request.mutable_request_id(), "ID",
               "Asking again with the same id and the same changes gives the same run, not a second one"));
}

void Grammar::AddForkChanges(CLI::App* fork) {
  v1::ForkRequest& request = arguments_.fork.request;
  const auto group = [](CLI::Option* option) { option->group("What is different"); };
  group(AddValueTo(
      fork, "--eta", ParseEta,
      [&request](double eta) {
        v1::KnobChange& knob = *request.add_knobs();
        knob.set_name("eta");
        knob.set_value(eta);
      },
      "NUMBER", "Learning rate: it stays so, unless --eta-schedule is given, which begins with it"));
  group(AddText(
      fork, "--eta-schedule", request.mutable_eta_schedule(), "SCHEDULE",
      "How eta changes, as in pilot start, with t counted from the beginning of the run that is forked, and from "
      "the eta that run was started with unless --eta is given"));
  group(AddValuesTo(
      fork, "--set", ParseKnobChange, [&request](v1::KnobChange knob) { *request.add_knobs() = std::move(knob); },
      "KNOB=VALUE", "Any knob; may be repeated"));
  group(AddValueTo(
      fork, "--seed", ParseSeed, [&request](uint64_t seed) { request.set_seed(seed); }, "N",
      "Of all random draws from here on: another order of the examples"));
  CLI::Option* const keep_order = fork->add_flag_callback(
      "--keep-order", [&request] { request.set_keep_order(true); }, "Take the examples in their order");
  CLI::Option* const shuffle = fork->add_flag_callback(
      "--shuffle", [&request] { request.set_keep_order(false); }, "Take them in a new random order each epoch");
  shuffle->excludes(keep_order);
  group(keep_order);
  group(shuffle);
  group(fork->add_option_function<std::vector<std::string>>(
                "--detach",
                [&request](const std::vector<std::string>& names) {
                  request.mutable_detach_plugins()->Assign(names.begin(), names.end());
                },
                "Begin without this plugin of the run; may be repeated")
            ->type_name("PLUGIN")
            ->expected(1)
            ->take_all());
  group(AddPluginSpecs(fork, [&request](v1::PluginSpec spec) { *request.add_attach_plugins() = std::move(spec); }));
}

void Grammar::AddReplay() {
  ReplayArguments& given = arguments_.replay;
  CLI::App* const replay = AddCommand("replay", Command::kReplay, kGroup, kReplayText,
                                      "pilot replay [RUN|DIRECTORY] [OPTIONS]", kReplayFooter);
  replay->add_option("RUN", given.what)->group("");
  AddValue(replay, "--through", ParseBatch, &given.through, "N", "No further than to this batch (default: to the end)");
  replay
      ->add_option("--data", given.data,
                   "The run's data, for a copied directory: a table, or, given again, arrays: inputs, targets, weights")
      ->type_name("FILE")
      ->expected(1)
      ->take_all()
      ->check(CLI::Validator(CLI::ExistingFile).description(""));
  AddText(replay, "--data-dir", &given.data_folder, "FOLDER",
          "The service's folder of data (default: the one DIRECTORY lies in, as runs/RUN)")
      ->check(CLI::Validator(CLI::ExistingDirectory).description(""));
}

}  // namespace pilothouse::client
