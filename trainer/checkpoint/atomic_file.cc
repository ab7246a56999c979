#include "trainer/checkpoint/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <future>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/sha256.h"

namespace pilothouse::trainer {
namespace {

// Less the umask.
constexpr mode_t kMode = 0666;
constexpr mode_t kFolderMode = 0777;
// What is handed to the system at once.
constexpr size_t kPieceBytes = size_t{8} << 20;

// To be called before anything else changes errno.
absl::Status RefuseErrno(absl::string_view what, const std::string& path) {
  const std::string cause = std::strerror(errno);
  return MakeError(v1::ERROR_REASON_INTERNAL, "", absl::StrCat(what, " ", path, " failed: ", cause, "."),
                   {{"file", path}, {"cause", cause}});
}

std::string TemporaryPath(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(path, ".", getpid(), "-", counter.fetch_add(1), kTemporarySuffix);
}

absl::Status WriteAll(int descriptor, absl::string_view part, const std::string& path) {
  while (!part.empty()) {
    const ssize_t written = write(descriptor, part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return RefuseErrno("Writing", path);
    part.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteParts(int descriptor, absl::Span<const absl::string_view> parts, FileSync sync,
                        const std::string& path) {
  off_t written = 0;
  for (absl::string_view part : parts) {
    while (!part.empty()) {
      const absl::string_view piece = part.substr(0, kPieceBytes);
      if (absl::Status status = WriteAll(descriptor, piece, path); !status.ok()) return status;
      const auto bytes = static_cast<off_t>(piece.size());
      // The disk begins with it while the next is copied. Only a hint: fsync says whether it came to pass.
      const bool hint = sync == FileSync::kSynced && piece.size() == kPieceBytes;
      if (hint) sync_file_range(descriptor, written, bytes, SYNC_FILE_RANGE_WRITE);
      written += bytes;
      part.remove_prefix(piece.size());
    }
  }
  const bool done = sync == FileSync::kUnsynced || fsync(descriptor) == 0;
  return done ? absl::OkStatus() : RefuseErrno("Syncing", path);
}

// Makes the new name durable.
absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return RefuseErrno("Opening", folder);
  // Some file systems cannot sync folders, and say so with EINVAL.
  const bool synced = fsync(descriptor) == 0 || errno == EINVAL;
  const absl::Status status = synced ? absl::OkStatus() : RefuseErrno("Syncing", folder);
  close(descriptor);
  return status;
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, absl::Span<const absl::string_view> parts, FileSync sync) {
  const std::string temporary = TemporaryPath(path);
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  if (descriptor < 0) return RefuseErrno("Creating", temporary);
  absl::Status status = WriteParts(descriptor, parts, sync, temporary);
  if (close(descriptor) != 0 && status.ok()) status = RefuseErrno("Closing", temporary);
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) status = RefuseErrno("Replacing", path);
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return sync == FileSync::kSynced ? SyncFolderOf(path) : absl::OkStatus();
}

absl::StatusOr<std::string> WriteAndHashFile(const std::string& path, absl::Span<const absl::string_view> parts,
                                             FileSync sync) {
  // Where no thread can be had, get() does the work: that is what the usual policy of async is for.
  std::future<std::string> hash = std::async([parts] {
    Sha256 sum;
    for (const absl::string_view part : parts) sum.Add(part);
    return sum.Finish();
  });
  const absl::Status status = WriteFileAtomically(path, parts, sync);
  std::string sha256 = hash.get();
  if (!status.ok()) return status;
  return sha256;
}

absl::Status MakeDurableFolder(const std::string& path) {
  if (mkdir(path.c_str(), kFolderMode) == 0) return SyncFolderOf(path);
  const int cause = errno;
  struct stat facts = {};
  if (cause == EEXIST && stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)) return absl::OkStatus();
  errno = cause;
  return RefuseErrno("Making the folder", path);
}

}  // namespace pilothouse::trainer
