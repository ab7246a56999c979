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

// As OpenZipMember(), once it is known where the member's packed bytes begin. REQUIRES: they are in the file.
absl::StatusOr<std::unique_ptr<ByteReader>> MakeZipMemberReader(InputFile& file, const ZipMember& member,
                                                                int64_t begin);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ZIP_MEMBER_READER_H_
