// Everything on its way to the service: reports, refusals, answers and heartbeats.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_OUTBOX_H_
#define PILOTHOUSE_TRAINER_CHANNEL_OUTBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "proto/support/mutex.h"
#include "trainer/channel/query_budget.h"
#include "trainer/channel/report_buffer.h"
#include "trainer/loop/report.h"

namespace pilothouse::trainer {

// Refusals that wait; the oldest goes when there are more.
inline constexpr size_t kMaxWaitingRefusals = 2048;
// Answers that wait, refusals of queries included, before more are dropped. Their size is bounded by the budget that
// their tickets belong to.
inline constexpr size_t kMaxWaitingAnswers = 1024;

using Outgoing = std::variant<std::vector<NumberedReport>, Refusal, v1::Answer, Heartbeat>;

// Filled by the training thread and by those who answer; emptied by the thread that writes to the stream. Reports and
// refusals outlive a stream, answers do not: the queries they answer belong to it. Thread-safe; the calls of the
// filling side never wait for the emptying side.
class Outbox final : public ReportSink {
 public:
  // Names the stream a query came by.
  using StreamId = uint64_t;

  // The size of a state vector. REQUIRES: nothing was added yet.
  void set_state_bytes(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // As in ReportBuffer. REQUIRES: nothing was added yet.
  void ContinueAfter(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnReport(Report report) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHeartbeat(const Heartbeat& heartbeat) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRefusal(Refusal refusal) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Keeps `ticket` until the answer is sent or dropped; it is dropped if `stream` has ended.
  void AddAnswer(StreamId stream, v1::Answer answer, QueryTicket ticket) ABSL_LOCKS_EXCLUDED(mutex_);
  StreamId stream() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether an answer to that stream still has somewhere to go.
  bool Lives(StreamId stream) const ABSL_LOCKS_EXCLUDED(mutex_);

  // A stream begins: returns what its Hello is to say as last_report. The stream ends with EndStream.
  uint64_t BeginStream() ABSL_LOCKS_EXCLUDED(mutex_);
  // The service has answered: what was sent before and not taken is sent again, in this stream.
  void ResendUntaken() ABSL_LOCKS_EXCLUDED(mutex_);
  void Taken(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // What to write next; waits for it. nullopt when the stream has ended.
  std::optional<Outgoing> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndStream() ABSL_LOCKS_EXCLUDED(mutex_);

  // So much waits to be taken, all of it things that are never left out, that nothing which causes more of it is to be
  // let in.
  bool Congested() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(bool held) override ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t CheckpointsRecorded() const override ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t CheckpointsAnnounced() const override ABSL_LOCKS_EXCLUDED(mutex_);

  // All reports that were not taken, if they should be kept elsewhere: if `ending`, always; otherwise, while no service
  // is there, if a checkpoint was added since they were asked for last, or the last service left some of them. Empty:
  // nothing is to be kept, or not while reports are held.
  std::vector<NumberedReport> ToKeep(bool ending) ABSL_LOCKS_EXCLUDED(mutex_);

  // Those that ToKeep gave last are kept on the disk.
  void Kept() ABSL_LOCKS_EXCLUDED(mutex_);
  // They could not be kept: they are to be asked for again.
  void NotKept() ABSL_LOCKS_EXCLUDED(mutex_);
  // What was kept is to go: only what a service takes is certain.
  void KeptNoMore() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until all reports were taken, however long that takes; false once GiveUp was called.
  bool AwaitAllTaken() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  // The run's last report, STOPPED, COMPLETED or FAILED, has been added; it and all others were taken.
  bool LastReportAdded() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool LastReportTaken() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool AllTaken() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::optional<Outgoing> TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  CondVar all_taken_or_given_up_;
  ReportBuffer reports_ ABSL_GUARDED_BY(mutex_);
  std::deque<Refusal> refusals_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<v1::Answer, QueryTicket>> answers_ ABSL_GUARDED_BY(mutex_);
  // The newest; older ones say nothing any more.
  std::optional<Heartbeat> heartbeat_ ABSL_GUARDED_BY(mutex_);
  StreamId stream_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stream_lives_ ABSL_GUARDED_BY(mutex_) = false;
  // A service has answered in this stream.
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  // What waits is to be kept elsewhere.
  bool to_keep_ ABSL_GUARDED_BY(mutex_) = false;
  // Reports of checkpoints that were written well, with those that were taken: in what ToKeep gave last; in what is
  // kept.
  int64_t given_to_keep_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t announced_ ABSL_GUARDED_BY(mutex_) = 0;
  bool last_report_added_ ABSL_GUARDED_BY(mutex_) = false;
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_OUTBOX_H_
