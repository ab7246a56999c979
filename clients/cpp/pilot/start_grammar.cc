// The part of the grammar that is about starting a run: its data, its training, and what happens then. Plugins and
// checkpoints have files of their own.
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/grammar.h"
#include "clients/cpp/pilot/help_text.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

absl::StatusOr<std::optional<int64_t>> ParseBatchSize(const std::string& text) {
  if (text == "full") return std::optional<int64_t>();
  const absl::StatusOr<int64_t> size = ParseCount(text);
  if (size.ok()) return std::optional<int64_t>(*size);
  return absl::InvalidArgumentError(absl::StrCat("expected a whole number from 1 on, or full; got \"", text, "\"."));
}

}  // namespace

void Grammar::AddStart() {
  CLI::App* const start = AddCommand("start", Command::kStart, "Runs", kStartText, kStartUsage, kStartFooter);
  AddText(start, "--net", &arguments_.start.net, "NET", "The network, such as 64x128rx10")->required();
  AddStartData(start);
  AddStartColumns(start);
  AddStartParts(start);
  AddStartTraining(start);
  AddStartArithmetic(start);
  AddStartReports(start);
  AddStartPlugins(start);
  AddStartCheckpoints(start);
  AddStartThen(start);
}

void Grammar::AddStartData(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const char group[] = "Data, one of";
  CLI::Option* const data = AddText(start, "--data", &given.data, "FILE",
                                    "A file on this machine, which is uploaded: a table as CSV, TSV or NPY, or an NPZ "
                                    "file with inputs and targets");
  CLI::Option* const inputs =
      AddText(start, "--inputs", &given.inputs, "X.npy", "Inputs on this machine, a row per example; with --targets");
  CLI::Option* const targets =
      AddText(start, "--targets", &given.targets, "Y.npy", "Their targets: classes, or a row per example");
  CLI::Option* const weights =
      AddText(start, "--weights", &given.weights, "W.npy", "Their weights, if examples do not count alike");
  CLI::Option* const dataset = AddText(start, "--dataset", &given.dataset, "ID", "What an earlier upload returned");
  CLI::Option* const file =
      AddText(start, "--server-file", &given.server_file, "NAME", "A file in the service's folder of data");
  for (CLI::Option* const option : {data, inputs, targets, weights, dataset, file}) option->group(group);
  // A name of the check would stand in the help.
  const CLI::Validator exists = CLI::Validator(CLI::ExistingFile).description("");
  data->check(exists);
  inputs->check(exists)->needs(targets);
  targets->check(exists)->needs(inputs);
  weights->check(exists)->needs(inputs);
}

void Grammar::AddStartColumns(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const char group[] = "Data, how to use it";
  start
      ->add_option("--target-column", given.target_columns,
                   "A column of the table to be learnt: its name, or its number from 1, negative from the end; may be "
                   "repeated (default: the last that is neither the weight nor ignored)")
      ->type_name("NAME")
      ->expected(1)
      ->take_all()
      ->group(group);
  AddText(start, "--weight-column", &given.weight_column, "NAME",
          "The column of the table with the examples' weights: one of 2 counts as if the example were there twice")
      ->group(group);
  start
      ->add_option("--ignore-column", given.ignored_columns,
                   "A column of the table that is not to be learnt from, such as a number or a name of each row, and "
                   "that may hold text; named likewise; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all()
      ->group(group);
  start->add_flag("--standardize", given.standardize, "Scale every input to mean 0 and standard deviation 1")
      ->group(group);
}

void Grammar::AddStartParts(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const auto group = [](CLI::Option* option) { option->group("Data, how to use it"); };
  group(AddValue(start, "--validation", ParsePartSize, &given.validation, "SIZE",
                 "Hold examples out, for plugins to validate on: 20% or 0.2 of all, or so many, such as 300 (default: "
                 "none)"));
  group(AddValue(start, "--test", ParsePartSize, &given.test, "SIZE",
                 "Keep examples for the end, for pilot evaluate; written like --validation (default: none)"));
  group(AddValue(start, "--split", ParseSplit, &given.split, "METHOD",
                 "Which: random, tail (the last ones) or stratified (of each class its share) (default: random; tail "
                 "with --keep-order)"));
  group(AddValue(start, "--split-seed", ParseSeed, &given.split_seed, "N",
                 "Of the draw of these examples, whatever the run's seed is (default 0)"));
}

void Grammar::AddStartTraining(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const auto group = [](CLI::Option* option) { option->group("Training"); };
  AddValue(start, "--loss", ParseLoss, &given.loss, "LOSS",
           "cross-entropy, binary-cross-entropy, mse, half-mse or huber")
      ->required();
  group(AddValue(start, "--eta", ParseEta, &given.eta, "NUMBER",
                 "Learning rate (default 0.1; 0.001 for adam, adamw and rmsprop, 0.01 for adagrad)"));
  group(AddText(start, "--eta-schedule", &given.eta_schedule, "SCHEDULE",
                "How eta changes by epoch: '50,0.01;70,0.005', 'cosine over=100 [warmup=5]', 'one-cycle over=100' or "
                "'exponential factor=0.95' (default: constant)"));
  group(AddValue(start, "--optimizer", ParseOptimizer, &given.optimizer, "SPEC",
                 "How parameters are updated: 'KIND [name=value …]', KIND being gradient-descent (default), momentum, "
                 "nesterov, adam, adamw, rmsprop or adagrad"));
  group(AddValueTo(
      start, "--batch-size", ParseBatchSize,
      [&given](std::optional<int64_t> size) {
        given.batch_size = size;
        given.full_batch = !size.has_value();
      },
      "N|full", "Examples per batch; full: all of them (default 32)"));
  group(start->add_flag("--keep-order", given.keep_order, "Take the examples in their order, not shuffled"));
}

void Grammar::AddStartArithmetic(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const auto group = [](CLI::Option* option) { option->group("Training"); };
  group(AddValue(start, "--precision", ParsePrecision, &given.precision, "TYPE", "float32 (default) or float64"));
  group(AddValue(start, "--threads", ParseThreads, &given.threads, "N",
                 "Threads that compute, 1 to 64 (default 1); the results are the same, bit for bit"));
  group(AddValue(start, "--seed", ParseSeed, &given.seed, "N",
                 "Of all random draws but the examples held out (default 0)"));
  group(AddValue(start, "--initializer", ParseInitializer, &given.initializer, "NAME",
                 "First parameters: scaled (default: he or glorot, by activation), normal, glorot, he or zeros"));
  group(
      AddValue(start, "--initial-state", ParseNumbers, &given.initial_state, "A,B,…", "First parameters, all of them"));
}

void Grammar::AddStartReports(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const auto group = [](CLI::Option* option) { option->group("Reports"); };
  group(AddValue(start, "--loss-interval", ParseDuration, &given.loss_interval, "TIME",
                 "Least time between two reports of the loss (default 50ms)"));
  group(AddValue(start, "--loss-every", ParseCount, &given.loss_every, "N", "Report the loss of every Nth batch too"));
  group(AddValue(start, "--state-every", ParseCount, &given.state_every, "N", "Report all parameters every N batches"));
}

void Grammar::AddStartThen(CLI::App* start) {
  StartArguments& given = arguments_.start;
  const auto group = [](CLI::Option* option) { option->group("Then"); };
  group(start->add_flag("--watch", given.watch, "Watch the run once it has started"));
  group(AddText(start, "--name", &given.name, "RUN",
                "The run's id: lower-case letters, digits and -, at most 63 (default: the service chooses)"));
  // A run begins at batch 0, so that N more are the same.
  group(AddValueTo(
      start, "--batch-to", ParseTarget,
      [&given](const v1::TargetChange& target) { given.batch_to = target.has_more() ? target.more() : target.batch(); },
      "N", "Train up to this batch at once (default 0: wait)"));
  group(AddText(start, "--request-id", &given.request_id, "ID",
                "Asking again with the same id and the same spec gives the same run, not a second one"));
}

}  // namespace pilothouse::client
