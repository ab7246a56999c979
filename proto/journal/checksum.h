// What tells a row of the journal from one that was damaged. Pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_JOURNAL_CHECKSUM_H_
#define PILOTHOUSE_PROTO_JOURNAL_CHECKSUM_H_

#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"

namespace pilothouse {

// CRC-32 (zlib's) of the numbers, 8 bytes each with the lowest first, and then of the texts, one after the other. From
// 0 to 2^32 − 1.
int64_t Checksum(std::initializer_list<uint64_t> numbers, std::initializer_list<absl::string_view> texts);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_CHECKSUM_H_
