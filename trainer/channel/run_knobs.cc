#include "trainer/channel/run_knobs.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/optimizer.pb.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr int kMaxNanos = 999'999'999;
// Of a name that nothing has, so much is told.
constexpr size_t kMaxToldBytes = 64;
// The run's spec has a field for it.
constexpr char kEta[] = "eta";

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field, message);
}

absl::StatusOr<OptimizerKind> FromMessage(v1::OptimizerKind kind) {
  switch (kind) {
    case v1::OPTIMIZER_KIND_UNSPECIFIED:
    case v1::OPTIMIZER_KIND_GRADIENT_DESCENT:
      return OptimizerKind::kGradientDescent;
    case v1::OPTIMIZER_KIND_MOMENTUM:
      return OptimizerKind::kMomentum;
    case v1::OPTIMIZER_KIND_NESTEROV:
      return OptimizerKind::kNesterov;
    case v1::OPTIMIZER_KIND_ADAM:
      return OptimizerKind::kAdam;
    case v1::OPTIMIZER_KIND_ADAMW:
      return OptimizerKind::kAdamW;
    case v1::OPTIMIZER_KIND_RMSPROP:
      return OptimizerKind::kRmsProp;
    case v1::OPTIMIZER_KIND_ADAGRAD:
      return OptimizerKind::kAdagrad;
    default:
      return Invalid("optimizer.kind",
                     "The trainer knows no such optimizer; it knows gradient_descent, momentum, nesterov, adam, adamw, "
                     "rmsprop and adagrad.");
  }
}

absl::Status UnknownSetting(OptimizerKind kind, const std::string& name, absl::string_view field,
                            const std::vector<KnobFacts>& settings) {
  if (name == kEta) return Invalid(field, "eta is a field of the spec itself: give it there.");
  const std::string known =
      absl::StrJoin(settings, ", ", [](std::string* out, const KnobFacts& knob) { absl::StrAppend(out, knob.name); });
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field,
                   absl::StrCat("The optimizer ", Name(kind), " has no setting \"", name, "\". It has: ", known, "."),
                   {{"name", name}, {"known", known}});
}

// The knobs that the optimizer's settings are, but eta.
std::vector<KnobFacts> SettingsAmong(const Knobs& knobs) {
  std::vector<KnobFacts> settings = knobs.Facts();
  const auto is_none = [](const KnobFacts& knob) { return knob.name == kEta || !IsUpdateSetting(knob.name); };
  settings.erase(std::remove_if(settings.begin(), settings.end(), is_none), settings.end());
  return settings;
}

absl::StatusOr<Knobs> PlanOptimizer(const v1::OptimizerSpec& spec) {
  const absl::StatusOr<OptimizerKind> kind = FromMessage(spec.kind());
  if (!kind.ok()) return kind.status();
  Knobs knobs = Knobs::UsualOf(*kind);
  const std::vector<KnobFacts> settings = SettingsAmong(knobs);
  // In order, so that of several mistakes the same one is told each time.
  const std::map<std::string, double> given(spec.settings().begin(), spec.settings().end());
  for (const auto& [name, value] : given) {
    const std::string told = Shortened(name, kMaxToldBytes);
    const std::string field = absl::StrCat("optimizer.settings[", told, "]");
    const auto found = std::find_if(settings.begin(), settings.end(),
                                    [&name = name](const KnobFacts& knob) { return knob.name == name; });
    if (found == settings.end()) return UnknownSetting(*kind, told, field, settings);
    if (absl::Status status = CheckRange(*found, value, field); !status.ok()) return status;
    knobs.Set(name, value);
  }
  return knobs;
}

absl::StatusOr<double> LossInterval(const google::protobuf::Duration& duration) {
  const double seconds = static_cast<double>(duration.seconds()) + duration.nanos() / kNanosPerSecond;
  const bool well_formed = duration.nanos() >= -kMaxNanos && duration.nanos() <= kMaxNanos;
  if (well_formed && seconds >= 0 && seconds <= kMaxLossIntervalSeconds) return seconds;
  return MakeError(
      v1::ERROR_REASON_INTERVAL_INVALID, "report.loss_interval",
      absl::StrCat("The loss interval lies between 0 and ", kMaxLossIntervalSeconds, " seconds; got ", seconds, "."),
      {{"value", absl::StrCat(seconds)}});
}

absl::Status CheckEvery(int64_t every, absl::string_view field) {
  if (every >= -kMaxTarget && every <= kMaxTarget) return absl::OkStatus();
  return Invalid(field, absl::StrCat("Every how many batches to report is at most 2^53; got ", every, "."));
}

absl::StatusOr<double> CheckpointInterval(const google::protobuf::Duration& duration) {
  const double seconds = static_cast<double>(duration.seconds()) + duration.nanos() / kNanosPerSecond;
  if (seconds >= 0 && seconds <= kMaxCheckpointIntervalSeconds) return seconds;
  return MakeError(v1::ERROR_REASON_CHECKPOINTS_INVALID, "checkpoints.interval",
                   absl::StrCat("The time between two checkpoints lies between 0 (none by time) and ",
                                kMaxCheckpointIntervalSeconds, " seconds; got ", seconds, "."),
                   {{"value", absl::StrCat(seconds)}});
}

absl::Status PlanCheckpoints(const v1::CheckpointSpec& checkpoints, Knobs& knobs) {
  if (checkpoints.has_interval()) {
    const absl::StatusOr<double> interval = CheckpointInterval(checkpoints.interval());
    if (!interval.ok()) return interval.status();
    knobs.checkpoint_interval = *interval;
  }
  if (absl::Status status = CheckEvery(checkpoints.every(), "checkpoints.every"); !status.ok()) return status;
  knobs.checkpoint_every = checkpoints.every();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Knobs> PlanKnobs(const v1::RunSpec& spec, int64_t parameters) {
  absl::StatusOr<Knobs> planned = PlanOptimizer(spec.optimizer());
  if (!planned.ok()) return planned;
  Knobs& knobs = *planned;
  if (spec.has_eta()) knobs.update.eta = spec.eta();
  if (absl::Status status = CheckEta(knobs.update.eta, "eta"); !status.ok()) return status;
  const v1::ReportSpec& report = spec.report();
  if (report.has_loss_interval()) {
    const absl::StatusOr<double> interval = LossInterval(report.loss_interval());
    if (!interval.ok()) return interval.status();
    knobs.loss_interval = *interval;
  }
  if (absl::Status status = CheckEvery(report.loss_every(), "report.loss_every"); !status.ok()) return status;
  if (absl::Status status = CheckEvery(report.state_every(), "report.state_every"); !status.ok()) return status;
  knobs.loss_every = report.loss_every();
  knobs.state_every = report.state_every();
  absl::Status status = CheckStateEvery(knobs.state_every, parameters, "report.state_every");
  if (!status.ok()) return status;
  if (absl::Status checkpoints = PlanCheckpoints(spec.checkpoints(), knobs); !checkpoints.ok()) return checkpoints;
  return planned;
}

absl::StatusOr<EtaSchedule> PlanEtaSchedule(const v1::RunSpec& spec) {
  if (spec.eta_schedule().empty()) return EtaSchedule();
  return EtaSchedule::Parse(spec.eta_schedule());
}

}  // namespace pilothouse::trainer
