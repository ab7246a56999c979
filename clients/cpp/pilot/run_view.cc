#include "clients/cpp/pilot/run_view.h"

#include <algorithm>
#include <utility>

#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// Speed is measured over this much of the run's recent past.
constexpr absl::Duration kSpeedWindow = absl::Seconds(5);
// Enough for reports every 50 ms; older ones go first.
constexpr size_t kMaxProgress = 256;

}  // namespace

bool HasEnded(v1::RunStatus status) {
  return status == v1::RUN_STATUS_STOPPED || status == v1::RUN_STATUS_COMPLETED || status == v1::RUN_STATUS_FAILED;
}

void RunView::Apply(const WatchItem& item, absl::Time now) {
  if (!item.connection.ok()) {
    if (!lost_since_.has_value()) lost_since_ = now;
    retry_at_ = now + item.retry_in;
    return;
  }
  lost_since_.reset();
  heard_at_ = now;
  silence_ = absl::ZeroDuration();
  const v1::WatchTrainingResponse& message = item.message;
  if (message.has_snapshot()) ApplySnapshot(message.snapshot());
  for (const v1::Event& event : message.events()) ApplyEvent(event);
  for (const v1::Gap& gap : message.gaps()) events_left_out_ += gap.last() - gap.first() + 1;
  if (message.has_heartbeat()) ApplyHeartbeat(message.heartbeat());
}

void RunView::ApplySnapshot(const v1::Run& snapshot) {
  run_ = snapshot;
  has_snapshot_ = true;
  snapshot_sequence_ = snapshot.last_sequence();
}

void RunView::ApplyEvent(const v1::Event& event) {
  const bool is_history = event.sequence() <= snapshot_sequence_;
  if (event.has_loss()) {
    losses_.Add(event.batch(), event.loss().value());
    NoteProgress(ToTime(event.time()), event.batch());
    if (!is_history) run_.set_loss(event.loss().value());
    if (!is_history && event.loss().has_eta()) SetKnob("eta", event.loss().eta());
  }
  if (event.has_control()) ApplyControl(event);
  if (event.has_plugin()) ApplyReport(event);
  if (event.has_checkpoint()) ApplyCheckpoint(event);
  if (event.has_status()) {
    // A pause belongs to no speed.
    progress_.clear();
    if (!is_history) {
      run_.set_status(event.status().status());
      run_.set_idle_reason(event.status().idle_reason());
      run_.set_status_message(event.status().message());
      run_.set_target(event.status().target());
      run_.set_loss(event.status().loss());
      wants_knobs_ = wants_knobs_ || std::exchange(going_back_, false);
    }
  }
  if (!is_history) run_.set_batch(event.batch());
  if (event.control().change().has_rewind()) ApplyRewind(event);
}

void RunView::ApplyControl(const v1::Event& event) {
  controls_.push_front(event);
  if (controls_.size() > kMaxControls) controls_.pop_back();
  const v1::ControlReport& control = event.control();
  if (control.change().has_detach_plugin()) {
    reports_.erase(
        std::remove_if(reports_.begin(), reports_.end(),
                       [&](const v1::Event& report) { return report.plugin().plugin() == control.plugin(); }),
        reports_.end());
  }
  if (event.sequence() <= snapshot_sequence_) return;
  if (control.change().has_target()) {
    const auto target = static_cast<int64_t>(control.value());
    run_.set_target(target);
    if (target > event.batch()) run_.set_resume_target(target);
  }
  if (!control.change().has_knob()) return;
  const v1::KnobChange& knob = control.change().knob();
  SetKnob(knob.name(), control.value());
  if (knob.name() == "eta") run_.set_eta_follows_schedule(knob.follow_schedule());
}

void RunView::SetKnob(const std::string& name, double value) {
  if (name == "eta") run_.set_eta(value);
  for (v1::Knob& knob : *run_.mutable_knobs()) {
    if (knob.name() == name) knob.set_value(value);
  }
}

void RunView::ApplyReport(const v1::Event& event) {
  const auto same = std::find_if(reports_.begin(), reports_.end(), [&event](const v1::Event& report) {
    return report.plugin().plugin() == event.plugin().plugin();
  });
  if (same != reports_.end()) {
    *same = event;
    return;
  }
  if (reports_.size() == kMaxReports) {
    reports_.erase(std::min_element(reports_.begin(), reports_.end(), [](const v1::Event& a, const v1::Event& b) {
      return a.sequence() < b.sequence();
    }));
  }
  reports_.push_back(event);
}

void RunView::ApplyCheckpoint(const v1::Event& event) {
  checkpoint_error_ = event.checkpoint().error();
  if (!checkpoint_error_.empty() || event.sequence() <= snapshot_sequence_) return;
  run_.set_checkpoint_batch(event.checkpoint().batch());
  *run_.mutable_checkpoint_time() = event.time();
}

void RunView::ApplyRewind(const v1::Event& event) {
  const auto batch = static_cast<int64_t>(event.control().value());
  losses_.GoBackTo(batch);
  progress_.clear();
  if (event.sequence() <= snapshot_sequence_) return;
  run_.set_batch(batch);
  going_back_ = true;
}

void RunView::SetKnobs(const v1::Run& run) {
  wants_knobs_ = false;
  run_.set_eta(run.eta());
  run_.set_eta_follows_schedule(run.eta_follows_schedule());
  *run_.mutable_knobs() = run.knobs();
}

void RunView::ApplyHeartbeat(const v1::Heartbeat& heartbeat) {
  run_.set_status(heartbeat.status());
  run_.set_batch(heartbeat.batch());
  run_.set_loss(heartbeat.loss());
  if (heartbeat.has_training_thread_seen_time()) {
    silence_ = std::max(absl::ZeroDuration(), ToTime(heartbeat.time()) - ToTime(heartbeat.training_thread_seen_time()));
  }
  NoteProgress(ToTime(heartbeat.time()), heartbeat.batch());
}

void RunView::NoteProgress(absl::Time time, int64_t batch) {
  if (!progress_.empty() && time <= progress_.back().time) return;
  progress_.push_back({time, batch});
  while (progress_.size() > kMaxProgress || (progress_.size() > 2 && progress_[1].time <= time - kSpeedWindow)) {
    progress_.pop_front();
  }
}

std::optional<double> RunView::BatchesPerSecond() const {
  const bool training = run_.status() == v1::RUN_STATUS_TRAINING && !lost_since_.has_value();
  if (!training || progress_.size() < 2) return std::nullopt;
  const absl::Duration time = progress_.back().time - progress_.front().time;
  const int64_t batches = progress_.back().batch - progress_.front().batch;
  if (time < absl::Milliseconds(100) || batches < 0) return std::nullopt;
  return static_cast<double>(batches) / absl::ToDoubleSeconds(time);
}

std::optional<absl::Duration> RunView::TimeToTarget() const {
  const std::optional<double> speed = BatchesPerSecond();
  if (!speed.has_value() || *speed <= 0 || run_.target() <= run_.batch()) return std::nullopt;
  return absl::Seconds(static_cast<double>(run_.target() - run_.batch()) / *speed);
}

absl::Duration RunView::TrainerSilence(absl::Time now) const {
  if (!has_snapshot_) return absl::ZeroDuration();
  return silence_ + (now - heard_at_);
}

}  // namespace pilothouse::client
