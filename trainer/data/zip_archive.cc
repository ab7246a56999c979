#include "trainer/data/zip_archive.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "trainer/data/printable.h"
#include "trainer/data/zip_member_reader.h"

namespace pilothouse::trainer {
namespace {

constexpr absl::string_view kEnd = "PK\x05\x06";
constexpr absl::string_view kEnd64 = "PK\x06\x06";
constexpr absl::string_view kEnd64Locator = "PK\x06\x07";
constexpr absl::string_view kEntry = "PK\x01\x02";
constexpr int64_t kEndBytes = 22;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kLocatorBytes = 20;
constexpr size_t kEntryBytes = 46;
constexpr int64_t kLocalBytes = 30;
constexpr int64_t kMaxCommentBytes = 65535;
// A field that says this has its value in the 64-bit extension.
constexpr uint64_t kElsewhere = 0xFFFFFFFF;
constexpr uint64_t kEncrypted = 1;
constexpr uint64_t kStored = 0;
constexpr uint64_t kDeflated = 8;
// Deflate makes at most 258 bytes out of two bits.
constexpr int64_t kMostTimes = 1032;
constexpr int64_t kDeflateSlackBytes = 64;

absl::Status Refuse(absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat("The NPZ file is damaged: ", why, "."));
}

absl::Status RefuseAsTooLarge(const std::string& why, int64_t limit) {
  return MakeError(v1::ERROR_REASON_DATASET_TOO_LARGE, "data", absl::StrCat("The NPZ file is too large: ", why),
                   {{"limit_bytes", absl::StrCat(limit)}});
}

absl::Status RefuseDirectory() { return Refuse("its directory does not fit the file"); }

// Unsigned numbers, the lowest byte first. REQUIRES: they are there.
uint64_t Number(absl::string_view bytes, size_t position, size_t size) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + position, size);
  return number;
}

absl::StatusOr<std::string> ReadAt(InputFile& file, int64_t position, int64_t bytes) {
  if (position < 0 || bytes < 0 || position > file.size_bytes() - bytes) return RefuseDirectory();
  std::string read(static_cast<size_t>(bytes), '\0');
  if (absl::Status status = file.Seek(position); !status.ok()) return status;
  if (absl::Status status = ReadFully(file, read.data(), bytes); !status.ok()) return status;
  return read;
}

struct Directory {
  uint64_t members = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
};

// The directory as the record of 64 bits tells it, whose locator stands before `end`.
absl::StatusOr<Directory> Find64(InputFile& file, int64_t end) {
  const absl::StatusOr<std::string> locator = ReadAt(file, end - kLocatorBytes, kLocatorBytes);
  if (!locator.ok()) return locator.status();
  if (!absl::StartsWith(*locator, kEnd64Locator)) return RefuseDirectory();
  const uint64_t offset = Number(*locator, 8, 8);
  if (offset > static_cast<uint64_t>(file.size_bytes())) return RefuseDirectory();
  const absl::StatusOr<std::string> record = ReadAt(file, static_cast<int64_t>(offset), kEnd64Bytes);
  if (!record.ok()) return record.status();
  if (!absl::StartsWith(*record, kEnd64)) return RefuseDirectory();
  return Directory{Number(*record, 32, 8), Number(*record, 40, 8), Number(*record, 48, 8)};
}

absl::StatusOr<Directory> FindDirectory(InputFile& file) {
  const int64_t tail_bytes = std::min(file.size_bytes(), kEndBytes + kMaxCommentBytes);
  const absl::StatusOr<std::string> tail = ReadAt(file, file.size_bytes() - tail_bytes, tail_bytes);
  if (!tail.ok()) return tail.status();
  const size_t found = absl::string_view(*tail).rfind(kEnd);
  if (found == absl::string_view::npos || tail->size() - found < static_cast<size_t>(kEndBytes)) {
    return Refuse("it has no directory, as if its end were missing");
  }
  const absl::string_view end = absl::string_view(*tail).substr(found);
  if (Number(end, 4, 2) != Number(end, 6, 2)) return Refuse("it is one of several parts of an archive");
  const Directory directory = {Number(end, 10, 2), Number(end, 12, 4), Number(end, 16, 4)};
  const bool is_64 = directory.members == 0xFFFF || directory.bytes == kElsewhere || directory.offset == kElsewhere;
  return is_64 ? Find64(file, file.size_bytes() - static_cast<int64_t>(tail->size() - found)) : directory;
}

// Numbers of an entry that may stand in its 64-bit extension, there in this order.
struct EntryNumbers {
  uint64_t bytes = 0;
  uint64_t packed_bytes = 0;
  uint64_t header_offset = 0;
};

// Looks up in the extra fields what an entry does not tell itself.
absl::Status ReadExtension(absl::string_view extra, EntryNumbers& numbers) {
  constexpr uint64_t kExtension64 = 1;
  absl::string_view extension;
  while (extra.size() >= 4) {
    const auto size = static_cast<size_t>(Number(extra, 2, 2));
    if (size > extra.size() - 4) return RefuseDirectory();
    if (Number(extra, 0, 2) == kExtension64) extension = extra.substr(4, size);
    extra.remove_prefix(4 + size);
  }
  for (uint64_t* const number : {&numbers.bytes, &numbers.packed_bytes, &numbers.header_offset}) {
    if (*number != kElsewhere) continue;
    if (extension.size() < 8) return RefuseDirectory();
    *number = Number(extension, 0, 8);
    extension.remove_prefix(8);
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const std::string& name, uint64_t flags, uint64_t method) {
  if ((flags & kEncrypted) == 0 && (method == kStored || method == kDeflated)) return absl::OkStatus();
  const absl::string_view how = (flags & kEncrypted) != 0 ? "encrypted" : "packed in a way that is not known here";
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("The array \"", Printable(name), "\" of the NPZ file is ", how,
                                "; save it with numpy.savez or numpy.savez_compressed."),
                   {{"array", Printable(name)}});
}

// Takes one entry off the front of the directory.
absl::StatusOr<ZipMember> TakeEntry(absl::string_view& directory, int64_t file_bytes) {
  if (directory.size() < kEntryBytes || !absl::StartsWith(directory, kEntry)) return RefuseDirectory();
  const auto name_bytes = static_cast<size_t>(Number(directory, 28, 2));
  const auto extra_bytes = static_cast<size_t>(Number(directory, 30, 2));
  const auto comment_bytes = static_cast<size_t>(Number(directory, 32, 2));
  if (directory.size() - kEntryBytes < name_bytes + extra_bytes + comment_bytes) return RefuseDirectory();
  ZipMember member;
  member.name = std::string(directory.substr(kEntryBytes, name_bytes));
  const uint64_t method = Number(directory, 10, 2);
  if (absl::Status status = CheckKind(member.name, Number(directory, 8, 2), method); !status.ok()) return status;
  EntryNumbers numbers = {Number(directory, 24, 4), Number(directory, 20, 4), Number(directory, 42, 4)};
  absl::Status status = ReadExtension(directory.substr(kEntryBytes + name_bytes, extra_bytes), numbers);
  if (!status.ok()) return status;
  const auto limit = static_cast<uint64_t>(file_bytes);
  if (numbers.packed_bytes > limit || numbers.header_offset > limit || numbers.bytes > uint64_t{INT64_MAX}) {
    return RefuseDirectory();
  }
  member.deflated = method == kDeflated;
  member.crc = static_cast<uint32_t>(Number(directory, 16, 4));
  member.bytes = static_cast<int64_t>(numbers.bytes);
  member.packed_bytes = static_cast<int64_t>(numbers.packed_bytes);
  member.header_offset = static_cast<int64_t>(numbers.header_offset);
  directory.remove_prefix(kEntryBytes + name_bytes + extra_bytes + comment_bytes);
  return member;
}

// That the member can be as large as it says.
absl::Status CheckSize(const ZipMember& member) {
  if (!member.deflated) return member.bytes == member.packed_bytes ? absl::OkStatus() : RefuseDirectory();
  if (absl::Status status = CheckInflatedBytes({member}); !status.ok()) return status;
  if (member.bytes / kMostTimes > member.packed_bytes + kDeflateSlackBytes) {
    return Refuse("it says that an array is larger than its packed bytes can become");
  }
  return absl::OkStatus();
}

// That the directory can be what it says, and then that it is within bounds.
absl::Status CheckDirectory(const Directory& directory, uint64_t file_bytes) {
  const bool is_there = directory.offset <= file_bytes && directory.bytes <= file_bytes - directory.offset;
  if (!is_there || directory.members > directory.bytes / kEntryBytes) return RefuseDirectory();
  if (directory.members <= uint64_t{kMaxZipMembers} && directory.bytes <= uint64_t{kMaxZipDirectoryBytes}) {
    return absl::OkStatus();
  }
  return RefuseAsTooLarge(
      absl::StrCat("it lists ", directory.members, " arrays in ", directory.bytes, " bytes; at most ", kMaxZipMembers,
                   " in ", kMaxZipDirectoryBytes, " are possible. Leave out those that a run does not need."),
      kMaxZipDirectoryBytes);
}

}  // namespace

absl::Status CheckInflatedBytes(absl::Span<const ZipMember> members) {
  int64_t left = kMaxInflatedBytes;
  std::vector<std::string> names;
  for (const ZipMember& member : members) {
    if (!member.deflated) continue;
    names.push_back(member.name);
    // Below 0, and no lower, once it is too much.
    left = left < 0 || member.bytes > left ? -1 : left - member.bytes;
  }
  if (left >= 0) return absl::OkStatus();
  return RefuseAsTooLarge(
      absl::StrCat("what it has as ", PrintableList(names), " would become more than ", kMaxInflatedBytes,
                   " bytes when it is unpacked. Save it with numpy.savez or as NPY files, which need no unpacking."),
      kMaxInflatedBytes);
}

absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(InputFile& file) {
  const absl::StatusOr<Directory> found = FindDirectory(file);
  if (!found.ok()) return found.status();
  if (absl::Status status = CheckDirectory(*found, static_cast<uint64_t>(file.size_bytes())); !status.ok()) {
    return status;
  }
  const absl::StatusOr<std::string> directory =
      ReadAt(file, static_cast<int64_t>(found->offset), static_cast<int64_t>(found->bytes));
  if (!directory.ok()) return directory.status();
  absl::string_view rest = *directory;
  std::vector<ZipMember> members;
  for (uint64_t i = 0; i < found->members; ++i) {
    absl::StatusOr<ZipMember> member = TakeEntry(rest, file.size_bytes());
    if (!member.ok()) return member.status();
    members.push_back(*std::move(member));
  }
  return members;
}

absl::StatusOr<std::unique_ptr<ByteReader>> OpenZipMember(InputFile& file, const ZipMember& member) {
  if (absl::Status status = CheckSize(member); !status.ok()) return status;
  const absl::StatusOr<std::string> header = ReadAt(file, member.header_offset, kLocalBytes);
  if (!header.ok()) return header.status();
  if (!absl::StartsWith(*header, kZipMagic)) return RefuseDirectory();
  const int64_t begin =
      member.header_offset + kLocalBytes + static_cast<int64_t>(Number(*header, 26, 2) + Number(*header, 28, 2));
  if (begin > file.size_bytes() - member.packed_bytes) return RefuseDirectory();
  return MakeZipMemberReader(file, member, begin);
}

}  // namespace pilothouse::trainer
