// Bytes that are read one after another: of a file, or of a part of one.
#ifndef PILOTHOUSE_TRAINER_DATA_BYTE_READER_H_
#define PILOTHOUSE_TRAINER_DATA_BYTE_READER_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pilothouse::trainer {

// Not thread-safe.
class ByteReader {
 public:
  virtual ~ByteReader() = default;

  // All that there are.
  virtual int64_t size_bytes() const = 0;

  // Bytes read so far.
  virtual int64_t position() const = 0;

  // Reads up to `bytes` bytes into `to`; fewer only at the end. Error: DATA_MALFORMED.
  virtual absl::StatusOr<int64_t> Read(char* to, int64_t bytes) = 0;

  // The first byte of all, mapped from the file, or null if they do not stand there as they are read. Pages are shared
  // with everyone who maps the file, and are read when they are touched. Whoever shortens the file, or writes into it,
  // pulls them away: a run that touches them then is killed by SIGBUS, is started again by its service, and is told
  // that its data have changed. So data files are never written in place, only renamed to.
  // Error: DATA_MALFORMED if the file is no longer as long as it was.
  virtual absl::StatusOr<std::shared_ptr<const char>> Map() = 0;

 protected:
  ByteReader() = default;
  ByteReader(const ByteReader&) = default;
  ByteReader(ByteReader&&) = default;
  ByteReader& operator=(const ByteReader&) = default;
  ByteReader& operator=(ByteReader&&) = default;
};

// What is said of a file that is no longer as long as it was: DATA_MALFORMED.
absl::Status RefuseChangedFile();

// Reads `bytes` bytes that are known to be there; refuses a file that has changed if they are not.
absl::Status ReadFully(ByteReader& reader, char* to, int64_t bytes);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_BYTE_READER_H_
