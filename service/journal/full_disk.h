// For tests: a disk that is full.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_FULL_DISK_H_
#define PILOTHOUSE_SERVICE_JOURNAL_FULL_DISK_H_

#include <sys/resource.h>

#include <csignal>

namespace pilothouse::service {

// Files of this process cannot grow beyond `bytes` while it lives: to SQLite, a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit = {bytes, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  void (*old_handler_)(int);
  rlimit old_limit_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_FULL_DISK_H_
