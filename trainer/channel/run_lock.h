// A sign of life that works without a connection: a lock on a file in the run's directory.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_RUN_LOCK_H_
#define PILOTHOUSE_TRAINER_CHANNEL_RUN_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace pilothouse::trainer {

// Held while the object lives, and given up by the system when the process ends, however it ends. Movable.
class RunLock {
 public:
  // Locks <directory>/trainer.lock and writes this process's id into it. TRAINER_FAILED when another trainer holds it
  // or the file cannot be made. Tries for a second, since whoever looks whether a trainer is alive holds the lock for a
  // moment.
  static absl::StatusOr<RunLock> Acquire(const std::string& directory);

  RunLock() = default;
  ~RunLock();
  RunLock(RunLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  RunLock& operator=(RunLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }

  // Writes "exit code 4" behind the id, for a service that did not start this process and cannot see how it ends.
  void NoteExit(int code) const;

  // The file was removed, and with it, most likely, the run's directory: there is nothing left to train for.
  bool removed() const;

 private:
  explicit RunLock(int file) : file_(file) {}

  int file_ = -1;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_RUN_LOCK_H_
