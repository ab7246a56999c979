#include "trainer/replay/replayer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/tensor.h"
#include "trainer/channel/messages.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

// Plugins of this kind report what Learner::Validate says of the parameters as they are.
constexpr char kValidate[] = "validate";

// One that a validation of some run has. What this version does not know, a newer one has reported: it cannot be
// compared.
bool IsKnownScore(absl::string_view name) {
  const auto scores = ScoresOfValidations();
  return name == "loss" || absl::StartsWith(name, "confusion.") ||
         std::any_of(scores.begin(), scores.end(), [&](const ScoreFacts& score) { return name == score.name; });
}

// NaN is NaN, whatever its other bits say: it stands for "not a number" in the journal and comes from where it may.
bool SameBits(double one, double other) {
  return std::bit_cast<uint64_t>(one) == std::bit_cast<uint64_t>(other) || (std::isnan(one) && std::isnan(other));
}

bool SameTensor(const v1::Tensor& one, const v1::Tensor& other) {
  return one.element_type() == other.element_type() && one.data() == other.data() &&
         std::equal(one.shape().begin(), one.shape().end(), other.shape().begin(), other.shape().end());
}

std::string ShapeOf(const v1::Tensor& tensor) {
  return absl::StrCat(tensor.element_type() == v1::ELEMENT_TYPE_FLOAT32 ? "float32" : "float64", " of ",
                      ElementCount(tensor), " elements");
}

// The bits of a number of 4 or 8 bytes.
template <typename T>
auto BitsOf(T number) {
  return std::bit_cast<std::conditional_t<sizeof(T) == sizeof(uint32_t), uint32_t, uint64_t>>(number);
}

template <typename T>
size_t FirstDifference(const std::vector<T>& one, const std::vector<T>& other) {
  size_t index = 0;
  while (index + 1 < one.size() && BitsOf(one[index]) == BitsOf(other[index])) ++index;
  return index;
}

struct TensorDifference {
  std::string part;
  ReplayedValue journal;
  ReplayedValue replay;
};

// REQUIRES: !SameTensor, and that both are well formed.
TensorDifference DifferenceOf(const v1::Tensor& journal, const v1::Tensor& replay) {
  if (journal.element_type() != replay.element_type() || journal.data().size() != replay.data().size()) {
    return {"shape", {ShapeOf(journal), ""}, {ShapeOf(replay), ""}};
  }
  const auto at = [](const auto& one, const auto& other) {
    const size_t index = FirstDifference(one, other);
    return TensorDifference{absl::StrCat("parameter ", index), ValueOf(one[index]), ValueOf(other[index])};
  };
  if (journal.element_type() == v1::ELEMENT_TYPE_FLOAT32) return at(ToFloats(journal), ToFloats(replay));
  return at(ToDoubles(journal), ToDoubles(replay));
}

}  // namespace

Replayer::Replayer(std::string directory, const RunHistory& history, Learner& learner, const LearningPosition& begin,
                   int64_t through)
    : directory_(std::move(directory)), learner_(learner), through_(through), plan_(history), now_(begin) {
  result_.run_id = history.run_id();
  result_.first_batch = begin.batch;
  result_.through_batch = begin.batch;
}

absl::Status Replayer::Take(const v1::Event& event) {
  if (differs()) return absl::OkStatus();
  if (event.has_control()) return TakeControl(event);
  if (event.has_checkpoint()) {
    // It was compared when training came by. Where nothing was trained since, this is the time.
    if (event.checkpoint().line() == stretch_) Advance(event.checkpoint().batch());
    if (!differs()) BeforeLeaving();
    return absl::OkStatus();
  }
  if (event.batch() > through_) return absl::OkStatus();
  if (!event.has_loss() && !event.has_state() && !event.has_plugin()) return absl::OkStatus();
  Advance(event.batch());
  if (differs()) return absl::OkStatus();
  if (event.has_loss()) Compare(event, event.loss());
  if (event.has_state()) Compare(event, event.state());
  if (event.has_plugin()) Compare(event, event.plugin());
  return absl::OkStatus();
}

void Replayer::Advance(int64_t batch) {
  const int64_t last = std::min(batch, through_);
  if (now_.batch >= last) return;
  while (now_.batch < last) {
    BeforeLeaving();
    if (differs()) return;
    const int64_t stop = std::min(last, plan_.NextStop(stretch_, now_.batch + 1));
    int64_t trained = now_.batch;
    double loss = 0;
    do {
      loss = learner_.Step(++trained, now_.knobs.update);
      if (trained >= now_.scheduled_eta.through()) now_.scheduled_eta.Follow(trained, now_.knobs);
    } while (trained < stop);
    result_.batches += trained - now_.batch;
    now_.batch = trained;
    now_.loss = loss;
  }
}

void Replayer::BeforeLeaving() {
  const ReplayPlace place(stretch_, now_.batch);
  for (const RunHistory::KnownCheckpoint* known : plan_.CheckpointsAt(place, changes_)) {
    if (!differs() && compared_.insert(known->sequence).second) CompareCheckpoint(*known);
  }
  if (const int uses = plan_.ReturnsTo(place); uses > 0) {
    snapshots_.insert_or_assign(place, Snapshot{SavedStateOf(learner_), now_, uses});
  }
}

void Replayer::CompareCheckpoint(const RunHistory::KnownCheckpoint& known) {
  if (known.report.state_sha256().empty()) return;
  const std::string hash = HashOfTensors(SavedStateOf(learner_));
  if (hash == known.report.state_sha256()) return Same(result_.checkpoints, now_.batch);
  v1::Event event;
  event.set_batch(known.report.batch());
  event.set_sequence(known.sequence);
  Found(event, "checkpoint", "SHA-256 of the state", {known.report.state_sha256(), ""}, {hash, ""});
}

absl::Status Replayer::TakeControl(const v1::Event& event) {
  const v1::ControlReport& control = event.control();
  const bool rewind = control.change().has_rewind();
  // What leads to a rewind is gone through whole, so that where it leads to is known.
  if (event.batch() > through_ && !rewind) return absl::OkStatus();
  Advance(event.batch());
  if (differs()) return absl::OkStatus();
  if (rewind) return TakeBack();
  if (!ChangesLearning(control.change())) return absl::OkStatus();
  BeforeLeaving();
  ++changes_;
  if (control.change().has_knob()) SetKnob(control.change().knob(), control.value());
  if (control.change().has_parameters() && !differs()) ApplyParameters(event);
  return absl::OkStatus();
}

void Replayer::SetKnob(const v1::KnobChange& change, double value) {
  if (change.follow_schedule()) return now_.scheduled_eta.Follow(now_.batch, now_.knobs);
  now_.knobs.Set(change.name(), value);
  now_.scheduled_eta.Changed(now_.batch, now_.knobs);
}

void Replayer::ApplyParameters(const v1::Event& event) {
  const v1::ParametersChange& change = event.control().change().parameters();
  const std::string path = absl::StrCat(directory_, "/", change.file());
  const absl::StatusOr<std::string> hash = FileHash(path);
  if (!hash.ok() || *hash != change.sha256()) {
    Found(event, "control", change.file(), {absl::StrCat("SHA-256 ", change.sha256()), ""},
          {hash.ok() ? absl::StrCat("SHA-256 ", *hash) : std::string(hash.status().message()), ""});
    return;
  }
  if (absl::Status loaded = learner_.Load(path); !loaded.ok()) {
    Found(event, "control", change.file(), {"parameters", ""}, {std::string(loaded.message()), ""});
  }
}

absl::Status Replayer::TakeBack() {
  BeforeLeaving();
  const auto kept = snapshots_.find(plan_.ReturnOf(stretch_));
  ++stretch_;
  ++result_.rewinds;
  // Where only part of the journal is gone through, it may not have come as far as what it is taken back to.
  if (kept == snapshots_.end()) return absl::OkStatus();
  Snapshot& snapshot = kept->second;
  if (absl::Status restored = learner_.Restore(snapshot.learner); !restored.ok()) return restored;
  now_ = snapshot.position;
  if (--snapshot.uses == 0) snapshots_.erase(kept);
  return absl::OkStatus();
}

void Replayer::Compare(const v1::Event& event, const v1::LossReport& loss) {
  if (!now_.loss.has_value()) return;
  if (SameBits(loss.value(), *now_.loss)) return Same(result_.losses, event.batch());
  Found(event, "loss", "", ValueOf(loss.value()), ValueOf(*now_.loss));
}

void Replayer::Compare(const v1::Event& event, const v1::StateReport& state) {
  const v1::Tensor replayed = ToMessage(learner_.Snapshot()->State());
  if (SameTensor(state.state(), replayed)) return Same(result_.states, event.batch());
  if (const absl::Status formed = CheckTensor(state.state(), "state"); !formed.ok()) {
    return Found(event, "state", "", {std::string(formed.message()), ""}, {ShapeOf(replayed), ""});
  }
  TensorDifference difference = DifferenceOf(state.state(), replayed);
  Found(event, "state", std::move(difference.part), std::move(difference.journal), std::move(difference.replay));
}

void Replayer::Compare(const v1::Event& event, const v1::PluginReport& report) {
  if (report.kind() != kValidate || report.output().values().empty()) return;
  const absl::StatusOr<Validation> validation = learner_.Validate(event.batch());
  if (!validation.ok()) {
    return Found(event, "plugin", report.plugin(), {"a validation", ""},
                 {std::string(validation.status().message()), ""});
  }
  for (const v1::NamedValue& value : report.output().values()) {
    const std::optional<double> replayed = ValueOf(*validation, value.name());
    if (replayed.has_value() ? SameBits(value.value(), *replayed) : !IsKnownScore(value.name())) continue;
    return Found(event, "plugin", absl::StrCat(report.plugin(), " ", value.name()), ValueOf(value.value()),
                 replayed.has_value() ? ValueOf(*replayed) : ReplayedValue{"no such score", ""});
  }
  Same(result_.validations, event.batch());
}

void Replayer::Found(const v1::Event& event, std::string kind, std::string part, ReplayedValue journal,
                     ReplayedValue replay) {
  result_.difference = Difference{event.batch(),   event.sequence(),   std::move(kind),
                                  std::move(part), std::move(journal), std::move(replay)};
}

void Replayer::Same(int64_t& count, int64_t batch) {
  ++count;
  result_.through_batch = batch;
}

}  // namespace pilothouse::trainer
