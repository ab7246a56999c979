#include "trainer/data/input_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/address_order.h"

namespace pilothouse::trainer {
namespace {

absl::Status RefuseToRead() {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("The data file cannot be read: ", std::strerror(errno), "."));
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "rb");
  if (file == nullptr) {
    const std::string cause = std::strerror(errno);
    if (descriptor >= 0) close(descriptor);
    return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "data",
                     absl::StrCat("The data file ", path, " cannot be opened: ", cause, "."),
                     {{"file", path}, {"cause", cause}});
  }
  struct stat status = {};
  const bool regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  InputFile opened(file, status.st_size);
  if (!regular) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat(path, " is not a regular file."),
                     {{"file", path}});
  }
  return opened;
}

absl::StatusOr<int64_t> InputFile::Read(char* to, int64_t bytes) {
  const size_t got = std::fread(to, 1, static_cast<size_t>(bytes), file_.get());
  if (std::ferror(file_.get()) != 0) return RefuseToRead();
  position_ += static_cast<int64_t>(got);
  return static_cast<int64_t>(got);
}

absl::Status InputFile::Seek(int64_t position) {
  if (fseeko(file_.get(), position, SEEK_SET) != 0) return RefuseToRead();
  position_ = position;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const char>> InputFile::Map() {
  struct stat status = {};
  if (fstat(fileno(file_.get()), &status) != 0 || status.st_size != size_bytes_) return RefuseChangedFile();
  const auto bytes = static_cast<size_t>(size_bytes_);
  void* const first = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fileno(file_.get()), 0);
  if (first == MAP_FAILED) return RefuseToRead();
  return std::shared_ptr<const char>(static_cast<const char*>(first), [bytes](const char* mapped) {
    OrderAddresses();
    munmap(const_cast<char*>(mapped), bytes);
  });
}

}  // namespace pilothouse::trainer
