// What the command line said, checked as far as it can be without asking the service.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_ARGUMENTS_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cpp/pilot/values.h"
#include "clients/cpp/pilothouse_client/client.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/plugin.pb.h"
#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

enum class Command {
  kStart,
  kRuns,
  kState,
  kWatch,
  kSetEta,
  kSet,
  kBatchTo,
  kPause,
  kResume,
  kStop,
  kCheckpoint,
  kCheckpoints,
  kRewind,
  kFork,
  kReplay,
  kHistory,
  kExport,
  kPluginAdd,
  kPluginRemove,
  kPluginSchedule,
  kPluginList,
  kPluginKinds,
  kPredict,
  kEvaluate,
  kCompletion,
};

struct GlobalArguments {
  std::string address;
  bool json = false;
  std::optional<absl::Duration> timeout;
};

// How to watch; of `watch`, and of `start --watch`.
struct WatchArguments {
  bool from_start = false;
  std::optional<uint64_t> after_sequence;
  std::vector<v1::EventKind> kinds;
  std::optional<absl::Duration> min_interval;
  std::optional<absl::Duration> give_up;
};

struct StartArguments {
  std::string net;
  // Exactly one of the four sources is given: data, inputs with targets, dataset, server_file.
  std::string data;
  std::string inputs;
  std::string targets;
  // Only with inputs. Empty: there are none.
  std::string weights;
  std::string dataset;
  std::string server_file;
  std::vector<std::string> target_columns;
  std::string weight_column;
  std::vector<std::string> ignored_columns;
  // Sizes as in DataSpec. Empty: none.
  std::string validation;
  std::string test;
  v1::SplitMethod split = v1::SPLIT_METHOD_UNSPECIFIED;
  uint64_t split_seed = 0;
  bool standardize = false;
  v1::LossFunction loss = v1::LOSS_FUNCTION_UNSPECIFIED;
  std::optional<double> eta;
  // As in RunSpec. Empty: constant.
  std::string eta_schedule;
  std::optional<v1::OptimizerSpec> optimizer;
  // "full" or a number of examples.
  std::optional<int64_t> batch_size;
  bool full_batch = false;
  bool keep_order = false;
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;
  uint64_t seed = 0;
  // 0: not given.
  int32_t threads = 0;
  v1::Initializer initializer = v1::INITIALIZER_UNSPECIFIED;
  std::vector<double> initial_state;
  std::optional<absl::Duration> loss_interval;
  int64_t loss_every = 0;
  int64_t state_every = 0;
  // All but the interval.
  v1::CheckpointSpec checkpoints;
  std::optional<absl::Duration> checkpoint_interval;
  std::vector<v1::PluginSpec> plugins;
  std::optional<int64_t> batch_to;
  std::string name;
  // Empty: a new one.
  std::string request_id;
  bool watch = false;
};

struct ForkArguments {
  // All but the run, and but the batch where at_best is set.
  v1::ForkRequest request;
  // From the batch whose parameters are the best.
  bool at_best = false;
  bool watch = false;
};

// Which events of a run; of `history` and `export`.
struct HistoryArguments {
  std::vector<v1::EventKind> kinds;
  std::optional<int64_t> from;
  std::optional<int64_t> to;
  // Losses are thinned to so many. 0: not thinned.
  int32_t points = 0;
  // As in ReadHistoryRequest.
  std::string branch;
};

struct ExportArguments {
  // "-": standard output.
  std::string file;
  // Never kUnspecified in what ParseCommandLine returns.
  ExportFormat format = ExportFormat::kUnspecified;
};

struct ReplayArguments {
  // A run or a directory.
  std::string what;
  std::optional<int64_t> through;
  std::vector<std::string> data;
  std::string data_folder;
};

struct ChangeArguments {
  v1::Change change;
  // Of `rewind`: to the batch whose parameters are the best, which the change does not say.
  bool to_best = false;
  // Of `rewind`: what to call what came after.
  std::string branch;
  ChangeOptions options;
};

struct PredictArguments {
  // Exactly one of these is given.
  std::string data;
  std::string inputs;
  std::string output;
};

struct Arguments {
  Command command = Command::kRuns;
  GlobalArguments global;
  // Of commands about one run. Empty: not given.
  std::string run;
  StartArguments start;
  WatchArguments watch;
  ChangeArguments change;
  ForkArguments fork;
  HistoryArguments history;
  ExportArguments export_to;
  ReplayArguments replay;
  PredictArguments predict;
  // Of `state`, `predict` and `evaluate`. Empty: the last.
  v1::ModelChoice model;
  // Of `evaluate`.
  v1::DataPart part = v1::DATA_PART_TEST;
  bool all_runs = false;
  bool run_tree = false;
  bool state_vector = false;
  // Of `plugin kinds`. Empty: all.
  std::string plugin_kind;
  std::string shell;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_ARGUMENTS_H_
