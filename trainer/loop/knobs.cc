#include "trainer/loop/knobs.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "trainer/optim/update_settings.h"

namespace pilothouse::trainer {
namespace {

// The one knob with errors of its own.
constexpr char kEta[] = "eta";
constexpr char kLossInterval[] = "loss_interval";
constexpr char kLossEvery[] = "loss_every";
constexpr char kStateEvery[] = "state_every";
constexpr char kCheckpointInterval[] = "checkpoint_interval";
constexpr char kCheckpointEvery[] = "checkpoint_every";

// Those that every run has, whatever its optimizer.
std::vector<KnobFacts> FactsOfLoop(const Knobs& knobs) {
  constexpr double kMostBatches = static_cast<double>(kMaxTarget);
  return {
      {kLossInterval, knobs.loss_interval, 0, kMaxLossIntervalSeconds, false,
       "least time between two reports of a changing loss, in seconds"},
      {kLossEvery, static_cast<double>(knobs.loss_every), -kMostBatches, kMostBatches, true,
       "also report the loss of every n-th batch; 0 or less: off"},
      {kStateEvery, static_cast<double>(knobs.state_every), -kMostBatches, kMostBatches, true,
       "report the state vector at every n-th batch; 0 or less: off"},
      {kCheckpointInterval, knobs.checkpoint_interval, 0, kMaxCheckpointIntervalSeconds, false,
       "least time between two checkpoints, in seconds; 0: none by time"},
      {kCheckpointEvery, static_cast<double>(knobs.checkpoint_every), -kMostBatches, kMostBatches, true,
       "make a checkpoint at every n-th batch; 0 or less: off"},
  };
}

absl::Status UnknownKnob(absl::string_view name, const std::vector<KnobFacts>& facts) {
  const std::string known =
      absl::StrJoin(facts, ", ", [](std::string* out, const KnobFacts& knob) { absl::StrAppend(out, knob.name); });
  return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, "name",
                   absl::StrCat("This run has no knob \"", name, "\". It has: ", known, "."),
                   {{"name", std::string(name)}, {"known", known}});
}

}  // namespace

Knobs Knobs::UsualOf(OptimizerKind optimizer) {
  Knobs knobs;
  knobs.optimizer = optimizer;
  knobs.update = UsualSettings(optimizer);
  return knobs;
}

std::vector<KnobFacts> Knobs::Facts() const {
  std::vector<KnobFacts> facts;
  for (const SettingFacts& setting : SettingsOf(optimizer)) {
    facts.push_back(
        {setting.name, update.*setting.value, setting.minimum, setting.maximum, false, setting.description});
  }
  for (KnobFacts& knob : facts) knob.follows_schedule = eta_follows_schedule && knob.name == kEta;
  for (KnobFacts& knob : FactsOfLoop(*this)) facts.push_back(std::move(knob));
  return facts;
}

double Knobs::Get(absl::string_view name) const {
  for (const KnobFacts& knob : Facts()) {
    if (knob.name == name) return knob.value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

absl::Status Knobs::Check(absl::string_view name, double value, int64_t parameters) const {
  if (name == kEta) return CheckEta(value, "value");
  const std::vector<KnobFacts> facts = Facts();
  for (const KnobFacts& knob : facts) {
    if (knob.name != name) continue;
    if (absl::Status status = CheckRange(knob, value, "value"); !status.ok()) return status;
    if (name == kStateEvery) return CheckStateEvery(static_cast<int64_t>(value), parameters, "value");
    return absl::OkStatus();
  }
  return UnknownKnob(name, facts);
}

absl::Status Knobs::Check(const KnobChange& change, int64_t parameters) const {
  if (!change.follow_schedule) return Check(change.name, change.value, parameters);
  if (change.name == kEta) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "follow_schedule", "Of all knobs, only eta has a schedule.",
                   {{"name", change.name}});
}

void Knobs::Set(absl::string_view name, double value) {
  if (name == kEta) eta_follows_schedule = false;
  for (const SettingFacts& setting : SettingsOf(optimizer)) {
    if (name == setting.name) update.*setting.value = value;
  }
  if (name == kLossInterval) loss_interval = value;
  if (name == kLossEvery) loss_every = static_cast<int64_t>(value);
  if (name == kStateEvery) state_every = static_cast<int64_t>(value);
  if (name == kCheckpointInterval) checkpoint_interval = value;
  if (name == kCheckpointEvery) checkpoint_every = static_cast<int64_t>(value);
}

absl::Status CheckRange(const KnobFacts& knob, double value, absl::string_view field) {
  const bool in_range = value >= knob.minimum && value <= knob.maximum;
  if (in_range && (!knob.integer || value == std::trunc(value))) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_KNOB_OUT_OF_RANGE, field,
                   absl::StrCat(knob.name, " takes ", knob.integer ? "a whole number" : "a value", " from ",
                                knob.minimum, " to ", knob.maximum, "; got ", value, "."),
                   {{"name", knob.name},
                    {"value", absl::StrCat(value)},
                    {"minimum", absl::StrCat(knob.minimum)},
                    {"maximum", absl::StrCat(knob.maximum)}});
}

absl::Status CheckEta(double eta, absl::string_view field) {
  if (std::isfinite(eta) && eta > 0) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_ETA_INVALID, field, absl::StrCat("eta must be finite and above 0; got ", eta, "."),
                   {{"value", absl::StrCat(eta)}});
}

absl::Status CheckStateEvery(int64_t state_every, int64_t parameters, absl::string_view field) {
  if (state_every <= 0 || parameters <= kMaxStateEventParameters) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_STATE_TOO_LARGE, field,
                   absl::StrCat("A network of ", parameters, " parameters is too large for its states to be reported ",
                                "regularly; the limit is ", kMaxStateEventParameters, ". Ask for the state instead."),
                   {{"parameters", absl::StrCat(parameters)}, {"limit", absl::StrCat(kMaxStateEventParameters)}});
}

}  // namespace pilothouse::trainer
