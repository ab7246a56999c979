// What one run has come to: journaled first, and published then.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_RECORD_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_RECORD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/journal/journal.h"
#include "service/watch/event_hub.h"

namespace pilothouse::service {

// Used by one thread.
class RunRecord {
 public:
  // What was journaled and published just now.
  using Events = std::vector<std::shared_ptr<const v1::Event>>;

  // Shows `run` to whoever asks the hub.
  RunRecord(std::unique_ptr<Journal> journal, std::shared_ptr<EventHub> hub, v1::Run run);

  const v1::Run& run() const { return run_; }
  // For what changes without an event. It is seen by others from the next Show, Save or event on.
  v1::Run& mutable_run() { return run_; }
  void Show() { hub_->SetRun(run_); }
  // Shows the run and journals it, unsynced.
  void Save();

  // Adds those of the reports that are not journaled yet to what waits. Returns a sentence about those that are missing
  // before them, if any are: reports have numbers without holes, so the journal had them and has lost them.
  std::optional<std::string> Add(const v1::Reports& reports);
  // Journals what waits, and publishes it. Leaves it waiting if that fails.
  Events Commit();
  // Journals and publishes an event of the service's own about the run's status. If that fails, only who asks for the
  // run learns of it.
  Events Declare(v1::RunStatus status, const std::string& message);
  // For a service that finds said in the journal what it would declare: shows and logs it, and journals nothing.
  void DeclareAgain(const std::string& message);
  // Journals and publishes that a stop was applied where the run is, and that the run is STOPPED. Nothing of it if that
  // fails: status() says why.
  Events Stop(const v1::Control& control);

  // Reports wait that could not be journaled; status() says why. At most one message's worth of them, or what one
  // trainer left.
  bool waiting() const { return !unjournaled_.empty(); }
  const absl::Status& status() const { return journal_status_; }
  // Forgets what waits: it is not acknowledged, so the trainer sends it again.
  void ForgetWaiting() {
    unjournaled_.clear();
    newest_report_ = journal_->last_report();
  }

  // As Journal.
  const std::optional<std::string>& damage() const { return journal_->damage(); }
  uint64_t last_report() const { return journal_->last_report(); }
  absl::StatusOr<std::optional<RecordedControl>> FindControl(const std::string& request_id) const {
    return journal_->FindControl(request_id);
  }
  // As in Journal.
  absl::StatusOr<std::optional<std::string>> Meta(const std::string& key) const { return journal_->Meta(key); }
  absl::Status SetMeta(const std::string& key, const std::string& value) { return journal_->SetMeta(key, value); }

  // No event will follow.
  void Close() { hub_->Close(); }

 private:
  v1::Event NewEvent() const;
  v1::Event StatusEvent(v1::RunStatus status, const std::string& message) const;
  void CommitOneByOne(Events& published);
  void CommitTogether(Events& published);
  void Publish(const std::vector<JournalEntry>& entries, Events& published);

  const std::unique_ptr<Journal> journal_;
  const std::shared_ptr<EventHub> hub_;
  v1::Run run_;
  std::vector<v1::Report> unjournaled_;
  // The number of the newest that was added.
  uint64_t newest_report_;
  absl::Status journal_status_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_RECORD_H_
