// What a trainer had to report when no service was there: a file in the run's directory, written by the trainer and
// taken into the journal by the next service if that trainer is gone.
#ifndef PILOTHOUSE_PROTO_JOURNAL_UNRECORDED_H_
#define PILOTHOUSE_PROTO_JOURNAL_UNRECORDED_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse {

// Name of the file in a run's directory.
inline constexpr char kUnrecordedFile[] = "unrecorded.reports";
// Above what a trainer keeps at most; a larger file is not read.
inline constexpr int64_t kMaxUnrecordedBytes = int64_t{1} << 30;

// The content of the file: a line with the CRC-32 of what follows, as 8 hexadecimal digits, and a Reports message.
// Pure and thread-safe.
std::string PackUnrecorded(const v1::Reports& reports);
// DATA_MALFORMED if it is not what PackUnrecorded made.
absl::StatusOr<v1::Reports> UnpackUnrecorded(absl::string_view content);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_UNRECORDED_H_
