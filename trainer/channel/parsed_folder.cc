#include "trainer/channel/parsed_folder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHashDigits = 64;

struct Copy {
  // Without its ending.
  std::string name;
  fs::file_time_type used;
  int64_t bytes = 0;
};

// Whether it begins with a SHA-256 and a hyphen.
bool IsNamedLikeACopy(absl::string_view name) {
  if (name.size() <= kHashDigits || name[kHashDigits] != '-') return false;
  const absl::string_view hash = name.substr(0, kHashDigits);
  return std::all_of(hash.begin(), hash.end(), [](unsigned char c) {
    return absl::ascii_isdigit(c) || (absl::ascii_isxdigit(c) && absl::ascii_islower(c));
  });
}

bool IsAbandoned(const fs::directory_entry& entry) {
  std::error_code error;
  const fs::file_time_type written = entry.last_write_time(error);
  return !error && fs::file_time_type::clock::now() - written > std::chrono::seconds(kAbandonedSeconds);
}

// The copies in the folder, that of this name left out. Removes what was left half written.
std::vector<Copy> Look(const std::string& folder, const std::string& name) {
  std::vector<Copy> copies;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    std::error_code ignored;
    if (!IsNamedLikeACopy(file) || entry->symlink_status(ignored).type() != fs::file_type::regular) continue;
    if (absl::EndsWith(file, kTemporarySuffix)) {
      if (IsAbandoned(*entry)) fs::remove(entry->path(), ignored);
      continue;
    }
    absl::string_view stem = file;
    if (!absl::ConsumeSuffix(&stem, kParsedNumbers) || stem == name) continue;
    Copy copy = {std::string(stem), entry->last_write_time(ignored), 0};
    copy.bytes = static_cast<int64_t>(entry->file_size(ignored));
    // Otherwise somebody has just removed it.
    if (!ignored) copies.push_back(std::move(copy));
  }
  return copies;
}

std::string PathOf(const std::string& folder, const std::string& name, absl::string_view ending) {
  return absl::StrCat(folder, "/", name, ending);
}

// On the folder's disk, for whoever is not its administrator.
int64_t FreeBytes(const std::string& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  // Half, since others are added to it.
  return error ? 0 : static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX / 2));
}

absl::Status Refuse(const std::string& folder, absl::string_view why) {
  return MakeError(v1::ERROR_REASON_INTERNAL, "", absl::StrCat(why, "."), {{"file", folder}});
}

}  // namespace

absl::Status MakeParsedFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directory(folder, error);
  if (!error) return absl::OkStatus();
  return Refuse(folder, absl::StrCat("Making the folder ", folder, " failed: ", error.message()));
}

absl::StatusOr<std::string> WriteParsed(const std::string& path, absl::Span<const absl::string_view> parts) {
  return WriteAndHashFile(path, parts, FileSync::kUnsynced);
}

absl::Status MakeRoom(const std::string& folder, const std::string& name, int64_t bytes, const ParsedBounds& bounds) {
  if (bytes > bounds.most_bytes) {
    return Refuse(folder,
                  absl::StrCat("they take ", bytes, " bytes, and all copies together may have ", bounds.most_bytes));
  }
  std::vector<Copy> copies = Look(folder, name);
  int64_t others = 0;
  for (const Copy& copy : copies) others += copy.bytes;
  const int64_t needed = bytes + bounds.least_free_bytes;
  std::sort(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) { return a.used < b.used; });
  if (FreeBytes(folder) + others >= needed) {
    for (const Copy& copy : copies) {
      if (others + bytes <= bounds.most_bytes && FreeBytes(folder) >= needed) break;
      // Its facts first: numbers without facts can still be found here, and removed.
      std::error_code ignored;
      fs::remove(PathOf(folder, copy.name, kParsedFacts), ignored);
      fs::remove(PathOf(folder, copy.name, kParsedNumbers), ignored);
      others -= copy.bytes;
    }
  }
  // A copy that was removed still takes its room while a run has it mapped.
  const int64_t available = FreeBytes(folder);
  if (available >= needed) return absl::OkStatus();
  return Refuse(folder, absl::StrCat("they take ", bytes, " bytes, ", available, " are free on the disk, and ",
                                     bounds.least_free_bytes, " are left to others"));
}

void NoteUse(const std::string& folder, const std::string& name) {
  // Where it cannot be noted, the copy seems older than it is.
  std::error_code ignored;
  fs::last_write_time(PathOf(folder, name, kParsedNumbers), fs::file_time_type::clock::now(), ignored);
}

}  // namespace pilothouse::trainer
