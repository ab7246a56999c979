// The service's log: one line on standard error for each noteworthy happening, with the time. Thread-safe.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_LOG_H_
#define PILOTHOUSE_SERVICE_JOURNAL_LOG_H_

#include "absl/strings/string_view.h"

namespace pilothouse::service {

// "2026-03-01T12:00:00Z text\n", written at once.
void Log(absl::string_view text);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_LOG_H_
