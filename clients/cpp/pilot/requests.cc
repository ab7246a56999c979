#include "clients/cpp/pilot/requests.h"

#include <google/protobuf/util/time_util.h>

#include <cstdint>
#include <optional>

#include "clients/cpp/pilot/run_view.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

// How much of a living run's past a panel begins with: some minutes of losses at the usual interval.
constexpr uint64_t kPanelHistoryEvents = 5000;
constexpr int32_t kHistoryPage = 5000;

void FillData(const StartArguments& arguments, const std::string& dataset_id, v1::DataSpec& data) {
  if (!arguments.server_file.empty()) {
    data.set_file(arguments.server_file);
  } else {
    data.set_dataset_id(arguments.dataset.empty() ? dataset_id : arguments.dataset);
  }
  for (const std::string& column : arguments.target_columns) data.add_target_columns(column);
  data.set_standardize(arguments.standardize);
  data.set_weight_column(arguments.weight_column);
  data.mutable_ignored_columns()->Assign(arguments.ignored_columns.begin(), arguments.ignored_columns.end());
  if (!arguments.validation.empty()) data.set_validation_size(arguments.validation);
  data.set_test_size(arguments.test);
  data.set_split(arguments.split);
  data.set_split_seed(arguments.split_seed);
}

// `field` makes the message, so that it is not there where nothing was given.
template <typename Field>
void SetSpan(const std::optional<absl::Duration>& span, Field field) {
  if (!span.has_value()) return;
  *field() = google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(*span));
}

}  // namespace

v1::StartRunRequest BuildStartRequest(const StartArguments& arguments, const std::string& dataset_id) {
  v1::StartRunRequest request;
  request.set_run_id(arguments.name);
  request.set_request_id(arguments.request_id);
  if (arguments.batch_to.has_value()) request.set_target(*arguments.batch_to);
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand(arguments.net);
  spec.mutable_network()->set_initializer(arguments.initializer);
  if (!arguments.initial_state.empty()) {
    *spec.mutable_network()->mutable_initial_state() =
        MakeTensor(arguments.initial_state, {static_cast<int64_t>(arguments.initial_state.size())});
  }
  FillData(arguments, dataset_id, *spec.mutable_data());
  spec.set_loss(arguments.loss);
  if (arguments.eta.has_value()) spec.set_eta(*arguments.eta);
  spec.set_eta_schedule(arguments.eta_schedule);
  if (arguments.optimizer.has_value()) *spec.mutable_optimizer() = *arguments.optimizer;
  if (arguments.batch_size.has_value()) spec.set_batch_size(*arguments.batch_size);
  spec.set_full_batch(arguments.full_batch);
  spec.set_keep_order(arguments.keep_order);
  spec.set_precision(arguments.precision);
  spec.set_seed(arguments.seed);
  spec.set_threads(arguments.threads);
  spec.mutable_plugins()->Assign(arguments.plugins.begin(), arguments.plugins.end());
  v1::ReportSpec& report = *spec.mutable_report();
  SetSpan(arguments.loss_interval, [&report] { return report.mutable_loss_interval(); });
  report.set_loss_every(arguments.loss_every);
  report.set_state_every(arguments.state_every);
  v1::CheckpointSpec& checkpoints = *spec.mutable_checkpoints();
  checkpoints = arguments.checkpoints;
  SetSpan(arguments.checkpoint_interval, [&checkpoints] { return checkpoints.mutable_interval(); });
  return request;
}

v1::ReadHistoryRequest BuildHistoryRequest(const HistoryArguments& arguments, const std::string& run_id) {
  v1::ReadHistoryRequest request;
  request.set_run_id(run_id);
  for (const v1::EventKind kind : arguments.kinds) request.add_kinds(kind);
  if (arguments.from.has_value()) request.set_first_batch(*arguments.from);
  if (arguments.to.has_value()) request.set_last_batch(*arguments.to);
  request.set_branch(arguments.branch);
  request.set_max_points(arguments.points);
  request.set_page_size(kHistoryPage);
  return request;
}

WatchOptions BuildWatchOptions(const WatchArguments& arguments, const v1::Run& run, bool for_panel) {
  WatchOptions options;
  options.after_sequence = arguments.after_sequence;
  if (arguments.from_start || (!arguments.after_sequence.has_value() && HasEnded(run.status()))) {
    options.after_sequence = 0;
  }
  if (for_panel && !options.after_sequence.has_value()) {
    options.after_sequence = run.last_sequence() > kPanelHistoryEvents ? run.last_sequence() - kPanelHistoryEvents : 0;
  }
  options.kinds = arguments.kinds;
  options.min_interval = arguments.min_interval;
  if (arguments.give_up.has_value()) options.give_up_after = *arguments.give_up;
  return options;
}

}  // namespace pilothouse::client
