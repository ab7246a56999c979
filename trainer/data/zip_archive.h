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

#include "absl/status/statusor.h"
#include "trainer/data/byte_reader.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

// What the first bytes of a ZIP file with members are.
inline constexpr char kZipMagic[] = "PK\x03\x04";
// Most members, and bytes of the directory that lists them.
inline constexpr int64_t kMaxZipMembers = 4096;
inline constexpr int64_t kMaxZipDirectoryBytes = 1 << 20;
// Most bytes that a deflated member may become. Stored ones are no larger than the file.
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

// Reads the directory of `file`. DATA_MALFORMED if it is damaged or beyond the bounds above.
absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(InputFile& file);

// Reads a member of `file`, which must stay alive and be left alone meanwhile. The last byte is given only if all bytes
// have the checksum that the directory tells. Only stored members can be mapped. Errors, of reading, too:
// DATA_MALFORMED if the member is damaged, of a kind that is refused, or becomes more than kMaxInflatedBytes.
absl::StatusOr<std::unique_ptr<ByteReader>> OpenZipMember(InputFile& file, const ZipMember& member);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ZIP_ARCHIVE_H_
