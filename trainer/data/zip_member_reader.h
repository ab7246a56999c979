// The bytes of a member of a ZIP file, unpacked.
#ifndef PILOTHOUSE_TRAINER_DATA_ZIP_MEMBER_READER_H_
#define PILOTHOUSE_TRAINER_DATA_ZIP_MEMBER_READER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "trainer/data/byte_reader.h"
#include "trainer/data/input_file.h"
#include "trainer/data/zip_archive.h"

namespace pilothouse::trainer {

// What zlib counts with has 32 bits.
inline constexpr int64_t kMostUnpackedAtOnce = 1 << 30;

// As OpenZipMember(), once it is known where the member's packed bytes begin. What is read is unpacked in pieces of
// `piece_bytes`. REQUIRES: the packed bytes are in the file; 1 <= piece_bytes <= kMostUnpackedAtOnce.
absl::StatusOr<std::unique_ptr<ByteReader>> MakeZipMemberReader(InputFile& file, const ZipMember& member, int64_t begin,
                                                                int64_t piece_bytes = kMostUnpackedAtOnce);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ZIP_MEMBER_READER_H_
