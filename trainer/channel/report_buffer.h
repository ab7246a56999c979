// The reports that the service has not taken yet, numbered without holes, and bounded.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_REPORT_BUFFER_H_
#define PILOTHOUSE_TRAINER_CHANNEL_REPORT_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "trainer/loop/report.h"

namespace pilothouse::trainer {

// Beyond so many reports, or so many bytes of state vectors, losses, scheduled states or outputs of plugins are
// thinned: every second of those that were never sent goes. Changes and losses at the target stay, and so do states
// that were asked for.
inline constexpr size_t kMaxBufferedReports = 16384;
inline constexpr int64_t kMaxBufferedStateBytes = 64 << 20;
// Beyond so many bytes, state vectors not counted, outputs of plugins are thinned, and of the lists of plugins that
// were never sent the newest stays: each replaces those before it.
inline constexpr int64_t kMaxBufferedBytes = 32 << 20;
// What one message carries at most (but one report at least), state vectors counted.
inline constexpr size_t kMaxReportsPerMessage = 512;
inline constexpr int64_t kMaxReportBytesPerMessage = 4 << 20;
// How much may be sent before some of it is taken: so many reports; and after so many bytes no message follows.
inline constexpr uint64_t kMaxUntakenReports = 4096;
inline constexpr int64_t kMaxUntakenBytes = 32 << 20;

struct NumberedReport {
  uint64_t number = 0;
  std::shared_ptr<const Report> report;
};

// A report has its number from its place: the first that waits comes after the newest that was taken. So one that was
// never sent can be left out, and nobody sees a hole. Those that were sent, in this stream or an earlier one, keep
// their numbers, since the service may have journaled them. Not thread-safe.
class ReportBuffer {
 public:
  // The size of a state vector. REQUIRES: no state was added yet.
  void set_state_bytes(int64_t bytes) { state_bytes_ = bytes; }

  // Reports up to this number were made and taken before: the first that is added gets the next. REQUIRES: nothing was
  // added yet.
  void ContinueAfter(uint64_t number) { taken_ = sent_ = ever_sent_ = number; }

  void Add(Report report);

  // A stream to the service begins. Returns the number of the newest report that waits, 0 if none does; as long as the
  // stream lives there will be a report of that number.
  uint64_t BeginStream();
  // The next to send is the first that was not taken.
  void ResendUntaken() {
    sent_ = taken_;
    untaken_bytes_ = 0;
  }
  // The next reports to send; empty when there are none, or too many were sent and not taken.
  std::vector<NumberedReport> NextToSend();
  // Reports up to this number are durable and are forgotten.
  void Taken(uint64_t number);
  // All that were not taken.
  std::vector<NumberedReport> Untaken() const;
  // How many reports of checkpoints that were written well were taken.
  int64_t checkpoints_taken() const { return checkpoints_taken_; }
  // How many of the others are there.
  int64_t checkpoints_untaken() const;

  bool empty() const { return reports_.empty(); }
  // Whether NextToSend would return something.
  bool HasToSend() const;
  // Whether every report was sent.
  bool all_sent() const { return sent_ == newest(); }
  // Twice the bounds: thinning does not help any more.
  bool congested() const {
    return reports_.size() > 2 * kMaxBufferedReports || buffered_state_bytes_ > 2 * kMaxBufferedStateBytes ||
           buffered_bytes_ > 2 * kMaxBufferedBytes;
  }
  size_t size() const { return reports_.size(); }
  // About how many bytes wait, without state vectors.
  int64_t bytes() const { return buffered_bytes_; }

 private:
  struct Waiting {
    std::shared_ptr<const Report> report;
    // As SizeOf said when it was added.
    int64_t bytes = 0;
  };

  uint64_t newest() const { return taken_ + reports_.size(); }
  // The first that nobody has been sent or promised; it and those behind it may be changed and left out.
  std::deque<Waiting>::iterator FirstFree();
  int64_t StateBytes(const Report& report) const;
  // With its state vector.
  int64_t AllBytes(const Waiting& waiting) const { return waiting.bytes + StateBytes(*waiting.report); }
  // Drops every second of the reports that may go, keeping the newest.
  void Thin(const std::function<bool(const Report&)>& may_go);
  void ThinOutputs();
  // Forgets the newest list of plugins, since another comes; one that was sent stays.
  void DropNewestList();

  int64_t state_bytes_ = 0;
  // Number taken_ + 1 first.
  std::deque<Waiting> reports_;
  int64_t buffered_state_bytes_ = 0;
  int64_t buffered_bytes_ = 0;
  // Outputs are thinned beyond so many bytes: further up after a thinning, as below.
  int64_t thin_above_bytes_ = kMaxBufferedBytes;
  // After a thinning so many reports are added before the next: otherwise a buffer full of what may not go would be
  // searched at each of them.
  size_t adds_before_thinning_ = 0;
  // Numbers: of the newest that was taken, sent in this stream, sent in any stream, promised in BeginStream.
  uint64_t taken_ = 0;
  uint64_t sent_ = 0;
  uint64_t ever_sent_ = 0;
  uint64_t promised_ = 0;
  int64_t checkpoints_taken_ = 0;
  // Of those that were sent in this stream and not taken, with their state vectors.
  int64_t untaken_bytes_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_REPORT_BUFFER_H_
