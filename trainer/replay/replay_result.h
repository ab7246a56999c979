// What came of going through a journal again. Values; pure.
#ifndef PILOTHOUSE_TRAINER_REPLAY_REPLAY_RESULT_H_
#define PILOTHOUSE_TRAINER_REPLAY_REPLAY_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/journal/journal_reader.h"

namespace pilothouse::trainer {

// What one side has: a number and its bits ("0.25", "0x3fd0000000000000"), or something that is no number, without
// bits.
struct ReplayedValue {
  std::string text;
  std::string bits;
};
ReplayedValue ValueOf(double number);
ReplayedValue ValueOf(float number);

// The first place where journal and replay are not the same.
struct Difference {
  int64_t batch = 0;
  // Of the event that says so.
  uint64_t sequence = 0;
  // "loss", "state", "checkpoint", "plugin", "control".
  std::string kind;
  // Which part of it: "parameter 17", "accuracy". May be empty.
  std::string part;
  ReplayedValue journal;
  ReplayedValue replay;
};

struct ReplayResult {
  std::string run_id;
  // Everything compared up to this batch, in the journal's order, was the same.
  int64_t through_batch = 0;
  int64_t losses = 0;
  int64_t states = 0;
  int64_t checkpoints = 0;
  int64_t validations = 0;
  // Batches that were trained.
  int64_t batches = 0;
  // How often the run was taken back.
  int64_t rewinds = 0;
  // Of a fork: where it begins, in which run, and the file that was taken as the beginning.
  int64_t first_batch = 0;
  std::string parent;
  std::string base;
  // Events that are damaged and were left out.
  std::vector<SequenceRange> damaged;
  // Unset: journal and replay are the same.
  std::optional<Difference> difference;
};

// For people: one or a few lines, each with its end.
std::string ToText(const ReplayResult& result);
// One JSON object on one line.
std::string ToJson(const ReplayResult& result);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_REPLAY_REPLAY_RESULT_H_
