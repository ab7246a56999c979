// The trainer's log: one line per noteworthy happening, on standard error, which the service keeps as trainer.log.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_LOG_H_
#define PILOTHOUSE_TRAINER_CHANNEL_LOG_H_

#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// Writes "2024-05-01T12:00:00.000Z message" in one piece. Thread-safe.
void Log(absl::string_view message);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_LOG_H_
