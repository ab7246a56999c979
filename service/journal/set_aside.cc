#include "service/journal/set_aside.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

constexpr char kDamaged[] = ".damaged-";

}  // namespace

std::string KeptName(const std::string& path) {
  std::error_code ignored;
  for (int n = 1;; ++n) {
    const std::string name = absl::StrCat(path, kDamaged, n);
    if (!fs::exists(name, ignored) || fs::equivalent(name, path, ignored)) return name;
  }
}

absl::Status Keep(const std::string& path) {
  const std::string kept = KeptName(path);
  std::error_code error;
  if (!fs::exists(kept, error)) fs::create_hard_link(path, kept, error);
  return error ? CannotSetAside(path, error.message()) : absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const int fd = open(fs::absolute(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced ? absl::OkStatus() : CannotSetAside(path, "its directory could not be synced");
}

absl::Status CannotSetAside(const std::string& path, absl::string_view cause) {
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The damaged journal ", path, " could not be set aside: ", cause, "."),
                   {{"cause", std::string(cause)}, {"file", path}});
}

}  // namespace pilothouse::service
