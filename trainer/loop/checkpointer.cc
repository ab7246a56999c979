#include "trainer/loop/checkpointer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kNoBatch = std::numeric_limits<int64_t>::max();

absl::Status TooManyCheckpoints() {
  return MakeError(
      v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
      "So many checkpoints are being written that none can be made at exactly this batch; ask again shortly.",
      {{"limit", absl::StrCat(1 + kMaxWaitingCheckpoints)}});
}

// The validation loss that tells the best checkpoint, if there is one.
std::optional<double> LossOf(const std::optional<Validation>& validation) {
  if (!validation.has_value() || std::isnan(validation->loss)) return std::nullopt;
  return validation->loss;
}

}  // namespace

SavedState RunParts::Save() const {
  SavedState saved = SavedStateOf(learner);
  SaveRest(saved);
  return saved;
}

void RunParts::SaveRest(SavedState& saved) const {
  for (const Stateful* part : std::initializer_list<const Stateful*>{&state, &view, &plugins, &wishes}) {
    part->Save(saved);
  }
}

absl::Status RunParts::Restore(const SavedState& saved) {
  // Where the run is comes before the plugins, which count from there.
  for (Stateful* part : std::initializer_list<Stateful*>{&learner, &state, &view, &plugins, &wishes}) {
    if (absl::Status status = part->Restore(saved); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Checkpointer::Checkpointer(const LoopOptions& options, RunParts parts, Reporter& reporter, Mailbox& mailbox,
                           Clock& clock)
    : options_(options),
      parts_(parts),
      reporter_(reporter),
      mailbox_(mailbox),
      clock_(clock),
      recorded_before_(reporter.checkpoints_recorded()),
      last_time_(clock.Now()),
      due_now_(options.resume != nullptr && options.fork == nullptr),
      store_(options.directory, options.retention,
             options.resume == nullptr ? std::vector<RecordedCheckpoint>() : options.resume->recorded,
             [&mailbox](CheckpointOutcome outcome) { mailbox.PutOutcome(std::move(outcome)); }) {}

int64_t Checkpointer::NextBatch() const {
  const int64_t every = parts_.state.knobs.checkpoint_every;
  if (every <= 0) return kNoBatch;
  return parts_.state.batch - parts_.state.batch % every + every;
}

TimePoint Checkpointer::NextMoment() const {
  const double interval = parts_.state.knobs.checkpoint_interval;
  if (!room()) return TimePoint::max();
  if (due_now_) return parts_.state.now;
  if (interval <= 0 || !Changed()) return TimePoint::max();
  return last_time_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(interval));
}

bool Checkpointer::Due() const {
  const int64_t every = parts_.state.knobs.checkpoint_every;
  const int64_t batch = parts_.state.batch;
  if (every > 0 && batch > 0 && batch % every == 0 && batch != last_batch_) return true;
  return NextMoment() <= parts_.state.now;
}

void Checkpointer::Ask(Control control, bool applied) { asked_.push_back({std::move(control), applied}); }

std::vector<Control> Checkpointer::TakeAsked() {
  std::vector<Control> controls;
  for (Asked& asked : asked_) {
    if (!asked.applied) controls.push_back(std::move(asked.control));
  }
  asked_.clear();
  return controls;
}

void Checkpointer::RefuseAsked(const absl::Status& why) {
  for (const Control& control : TakeAsked()) reporter_.Refused(control, why);
}

void Checkpointer::AtBoundary() {
  if (!asked_.empty()) return ApplyAsked();
  // More of it could not be told for long.
  if (!Due() || !room() || reporter_.congested()) return;
  Submit(Request(/*pin=*/false));
}

void Checkpointer::ApplyAsked() {
  if (!room()) {
    // They wait until there is room; but not those that cannot.
    const auto waits = std::stable_partition(asked_.begin(), asked_.end(),
                                             [](const Asked& asked) { return !asked.control.at_batch.has_value(); });
    for (auto it = waits; it != asked_.end(); ++it) reporter_.Refused(it->control, TooManyCheckpoints());
    asked_.erase(waits, asked_.end());
    return;
  }
  bool pin = false;
  std::vector<std::string> ids;
  for (const Asked& asked : std::exchange(asked_, {})) {
    pin = pin || std::get<CheckpointChange>(asked.control.change).pin;
    ids.push_back(asked.control.request_id);
    const auto batch = static_cast<double>(parts_.state.batch);
    if (!asked.applied) reporter_.Applied({asked.control, batch, batch, ""});
  }
  CheckpointRequest request = Request(pin);
  request.facts.request_id = ids.front();
  others_[ids.front()] = {ids.begin() + 1, ids.end()};
  Submit(std::move(request));
}

CheckpointRequest Checkpointer::Request(bool pin) {
  const TimePoint begin = clock_.Now();
  store_.Recorded(reporter_.checkpoints_recorded() - recorded_before_,
                  reporter_.checkpoints_announced() - recorded_before_);
  parts_.state.saved_time = clock_.Wall();
  CheckpointRequest request;
  request.facts = {.batch = parts_.state.batch,
                   .controls = reporter_.controls(),
                   .line = options_.line(),
                   .pinned = pin,
                   .request_id = "",
                   .validation_loss = LossOf(parts_.view.validation()),
                   .held_up = {}};
  request.state = SavedStateOf(parts_.learner);
  request.state_hash = [learnt = request.state] { return HashOfTensors(learnt); };
  parts_.SaveRest(request.state);
  last_batch_ = request.facts.batch;
  last_controls_ = request.facts.controls;
  last_time_ = parts_.state.now;
  due_now_ = false;
  request.facts.held_up = clock_.Now() - begin;
  return request;
}

void Checkpointer::Submit(CheckpointRequest request) {
  if (store_.Submit(std::move(request))) ++under_way_;
}

CheckpointOutcome Checkpointer::WriteNow(bool pin) {
  CheckpointOutcome written = store_.WriteNow(Request(pin));
  // Whoever asked for one that is not told of now may never hear of it.
  for (CheckpointOutcome& earlier : mailbox_.TakeOutcomes()) OnOutcome(std::move(earlier));
  return written;
}

void Checkpointer::OnOutcome(CheckpointOutcome outcome) {
  --under_way_;
  Report(std::move(outcome));
}

void Checkpointer::Report(CheckpointOutcome outcome) {
  if (!outcome.status.ok()) {
    Log(absl::StrCat("the checkpoint of batch ", outcome.facts.batch,
                     " could not be written: ", outcome.status.message()));
  }
  const auto others = others_.extract(outcome.facts.request_id);
  reporter_.Checkpoint({outcome, /*repeated=*/false});
  if (others.empty()) return;
  for (const std::string& id : others.mapped()) {
    outcome.facts.request_id = id;
    reporter_.Checkpoint({outcome, /*repeated=*/true});
  }
}

}  // namespace pilothouse::trainer
