#include "trainer/channel/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr int kAttempts = 20;
constexpr std::chrono::milliseconds kBetweenAttempts{50};

// Leaves the reason in errno.
bool LockSoon(int file) {
  for (int i = 1; flock(file, LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK || i == kAttempts) return false;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
  return true;
}

}  // namespace

absl::StatusOr<RunLock> RunLock::Acquire(const std::string& directory) {
  const std::string path = directory + "/trainer.lock";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    return MakeError(v1::ERROR_REASON_TRAINER_FAILED, "",
                     absl::StrCat("Cannot open ", path, ": ", strerror(errno), "."));
  }
  RunLock lock(file);
  if (!LockSoon(file)) {
    return MakeError(v1::ERROR_REASON_TRAINER_FAILED, "",
                     errno == EWOULDBLOCK ? absl::StrCat("Another trainer is alive in ", directory, ".")
                                          : absl::StrCat("Cannot lock ", path, ": ", strerror(errno), "."));
  }
  // For people only: nobody reads the id back, only what NoteExit adds.
  const std::string id = absl::StrCat(getpid(), "\n");
  [[maybe_unused]] const bool written =
      ftruncate(file, 0) == 0 && write(file, id.data(), id.size()) == static_cast<ssize_t>(id.size());
  return lock;
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

void RunLock::NoteExit(int code) const {
  if (file_ < 0) return;
  const std::string note = absl::StrCat("exit code ", code, "\n");
  // Without it, the process ended without anybody seeing how.
  [[maybe_unused]] const ssize_t written = write(file_, note.data(), note.size());
}

bool RunLock::removed() const {
  struct stat info = {};
  return file_ >= 0 && fstat(file_, &info) == 0 && info.st_nlink == 0;
}

}  // namespace pilothouse::trainer
