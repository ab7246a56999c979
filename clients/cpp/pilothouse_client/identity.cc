#include "clients/cpp/pilothouse_client/identity.h"

#include <limits.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdint>
#include <random>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/limits.h"

namespace pilothouse::client {
namespace {

std::string UserName() {
  constexpr size_t kBufferBytes = 16384;
  std::vector<char> buffer(kBufferBytes);
  passwd entry;
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  // Containers often run under a number that has no name.
  return absl::StrCat(geteuid());
}

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "unknown";
  return name;
}

}  // namespace

std::string NewRequestId() {
  std::random_device device;
  std::string id;
  for (int word = 0; word < 4; ++word) {
    absl::StrAppend(&id, absl::Hex(static_cast<uint32_t>(device()), absl::kZeroPad8));
  }
  return id;
}

std::string DefaultOrigin(absl::string_view program) {
  std::string origin = absl::StrCat(UserName(), "@", HostName(), "/", program);
  for (char& character : origin) {
    if (!absl::ascii_isprint(character)) character = '?';
  }
  if (origin.size() > kMaxOriginBytes) origin.resize(kMaxOriginBytes);
  return origin;
}

}  // namespace pilothouse::client
