// A run as a watcher knows it: what the messages of a watch add up to. Not thread-safe; knows no clock of its own.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_VIEW_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cpp/pilot/curve.h"
#include "clients/cpp/pilothouse_client/watch.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

bool HasEnded(v1::RunStatus status);

class RunView {
 public:
  // How many of the newest controls are kept.
  static constexpr size_t kMaxControls = 8;
  // Of how many plugins the newest report is kept.
  static constexpr size_t kMaxReports = 3;

  // `now`: when the item came, by this machine's clock.
  void Apply(const WatchItem& item, absl::Time now);

  const std::string& run_id() const { return run_.run_id(); }
  // Status, batch, target, loss, eta: as they are now. Other fields as in the last snapshot.
  const v1::Run& run() const { return run_; }
  const LossHistory& losses() const { return losses_; }
  // Newest first.
  const std::deque<v1::Event>& controls() const { return controls_; }
  // The newest report of each of the plugins that reported last, in an order that stays while they do.
  const std::vector<v1::Event>& reports() const { return reports_; }
  // Why the last checkpoint could not be written. Empty: it was.
  const std::string& checkpoint_error() const { return checkpoint_error_; }
  // The run was taken back and is there: its knobs may be other ones than this view knows, and SetKnobs should tell
  // them.
  bool wants_knobs() const { return wants_knobs_; }
  // Takes eta and the other knobs of a run that was asked for now.
  void SetKnobs(const v1::Run& run);
  bool ended() const { return HasEnded(run_.status()); }
  bool has_snapshot() const { return has_snapshot_; }

  // Batches per second of the last few seconds in which the run reported. Nothing: not training, or not known.
  std::optional<double> BatchesPerSecond() const;
  // At that speed. Nothing: not known.
  std::optional<absl::Duration> TimeToTarget() const;
  // How long ago the training thread was last heard of, as the service saw it, and since then here.
  absl::Duration TrainerSilence(absl::Time now) const;
  // Sequences that gaps enclosed.
  uint64_t events_left_out() const { return events_left_out_; }

  // Since when there is no connection. Nothing: there is one.
  const std::optional<absl::Time>& lost_since() const { return lost_since_; }
  absl::Time retry_at() const { return retry_at_; }

 private:
  struct Progress {
    absl::Time time;
    int64_t batch;
  };

  void ApplySnapshot(const v1::Run& snapshot);
  void ApplyEvent(const v1::Event& event);
  void ApplyControl(const v1::Event& event);
  void SetKnob(const std::string& name, double value);
  void ApplyReport(const v1::Event& event);
  void ApplyCheckpoint(const v1::Event& event);
  // The run goes on from an earlier batch.
  void ApplyRewind(const v1::Event& event);
  void ApplyHeartbeat(const v1::Heartbeat& heartbeat);
  // The run was at `batch` at `time`, by the trainer's clock.
  void NoteProgress(absl::Time time, int64_t batch);

  v1::Run run_;
  bool has_snapshot_ = false;
  // Events up to this one are part of the snapshot: they add to the history, not to what is now.
  uint64_t snapshot_sequence_ = 0;
  LossHistory losses_;
  std::deque<v1::Event> controls_;
  std::vector<v1::Event> reports_;
  std::string checkpoint_error_;
  // A rewind was seen, but not yet that the run is there.
  bool going_back_ = false;
  bool wants_knobs_ = false;
  std::deque<Progress> progress_;
  uint64_t events_left_out_ = 0;
  // How long the trainer had been silent when the last item came, and when that was.
  absl::Duration silence_;
  absl::Time heard_at_ = absl::InfinitePast();
  std::optional<absl::Time> lost_since_;
  absl::Time retry_at_ = absl::InfinitePast();
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_VIEW_H_
