// Text from outside, made fit for messages, journals and terminals. Pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_SUPPORT_TEXT_H_
#define PILOTHOUSE_PROTO_SUPPORT_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace pilothouse {

// `text` as valid UTF-8: each byte that is no part of a character becomes "?". Protobuf refuses to parse a string that
// is not UTF-8, so one such byte in an event would make it unreadable for ever.
std::string ValidUtf8(absl::string_view text);

// The beginning of `text`, at most `limit` bytes of it, not cut within a character, followed by "…" where something was
// cut.
std::string Shortened(absl::string_view text, size_t limit);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_TEXT_H_
