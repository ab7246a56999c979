#include "trainer/data/byte_reader.h"

#include "proto/support/error.h"

namespace pilothouse::trainer {

absl::Status RefuseChangedFile() {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", "The data file changed while it was read.");
}

absl::Status ReadFully(ByteReader& reader, char* to, int64_t bytes) {
  const absl::StatusOr<int64_t> got = reader.Read(to, bytes);
  if (!got.ok()) return got.status();
  return *got == bytes ? absl::OkStatus() : RefuseChangedFile();
}

}  // namespace pilothouse::trainer
