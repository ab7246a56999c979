// What a program has to say to whoever runs it: one line on standard error for each noteworthy happening.
#ifndef PILOTHOUSE_PROTO_SUPPORT_LOG_H_
#define PILOTHOUSE_PROTO_SUPPORT_LOG_H_

#include "absl/strings/string_view.h"

namespace pilothouse {

// "2026-03-01T12:00:00.123Z text\n", written at once, so that lines of several threads do not mix. Thread-safe.
void Log(absl::string_view text);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_LOG_H_
