// The members of a ZIP file, stored or deflated, as NumPy writes them into NPZ files.
//
// Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 to 4.5. Archives that span several files, encrypted members, and
// methods other than 0 (stored) and 8 (deflated) are refused. Files are input from outside: what the directory says is
// checked against the file before anything is allocated for it.
#ifndef PILOTHOUSE_TRAINER_DATA_ZIP_ARCHIVE_H_
#define PILOTHOUSE_TRAINER_DATA_ZIP_ARCHIVE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "trainer/data/byte_reader.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

// What the first bytes of a ZIP file with members are.
inline constexpr char kZipMagic[] = "PK\x03\x04";
// Most members, and bytes of the directory that lists them.
inline constexpr int64_t kMaxZipMembers = 4096;
inline constexpr int64_t kMaxZipDirectoryBytes = 1 << 20;
// Most bytes that the deflated members that are read of one file for a new run may become together, and each of them
// always. Stored ones are no larger than the file.
inline constexpr int64_t kMaxInflatedBytes = int64_t{4} << 30;

struct ZipMember {
  std::string name;
  bool deflated = false;
  // As in the file, and as it was.
  int64_t packed_bytes = 0;
  int64_t bytes = 0;
  uint32_t crc = 0;
  // Where its local header is.
  int64_t header_offset = 0;
};

// Reads the directory of `file`. DATA_MALFORMED if it is damaged, DATASET_TOO_LARGE if it is beyond the bounds above.
absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(InputFile& file);

// That these members may be unpacked, one beside the other; to be asked before any of them is. DATASET_TOO_LARGE if
// they would become more than kMaxInflatedBytes.
absl::Status CheckInflatedBytes(absl::Span<const ZipMember> members);

// Reads a member of `file`, which must stay alive and be left alone meanwhile. The last byte is given only if all bytes
// have the checksum that the directory tells. Only stored members can be mapped. Errors, of reading, too:
// DATA_MALFORMED if the member is damaged or of a kind that is refused, DATASET_TOO_LARGE if it alone is.
absl::StatusOr<std::unique_ptr<ByteReader>> OpenZipMember(InputFile& file, const ZipMember& member);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ZIP_ARCHIVE_H_
