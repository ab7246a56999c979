// A regular file that is read from its beginning.
#ifndef PILOTHOUSE_TRAINER_DATA_INPUT_FILE_H_
#define PILOTHOUSE_TRAINER_DATA_INPUT_FILE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/data/byte_reader.h"

namespace pilothouse::trainer {

// Not thread-safe.
class InputFile final : public ByteReader {
 public:
  // Errors: FILE_NOT_FOUND, and DATA_MALFORMED for what is not a regular file.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  // When it was opened.
  int64_t size_bytes() const override { return size_bytes_; }
  int64_t position() const override { return position_; }
  absl::StatusOr<int64_t> Read(char* to, int64_t bytes) override;
  absl::StatusOr<std::shared_ptr<const char>> Map() override;

  // Goes to this byte. Error: DATA_MALFORMED. REQUIRES: 0 <= position.
  absl::Status Seek(int64_t position);

  // Back to the beginning.
  void Rewind() {
    std::rewind(file_.get());
    position_ = 0;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  InputFile(std::FILE* file, int64_t size_bytes) : file_(file), size_bytes_(size_bytes) {}

  std::unique_ptr<std::FILE, Close> file_;
  int64_t size_bytes_;
  int64_t position_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_INPUT_FILE_H_
