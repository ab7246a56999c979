// Damage in the write-ahead log that a journal's last writer left beside it, when it was killed. SQLite takes such a
// log up to the first frame whose checksum is wrong, and drops that and all that follow without a word, since so ends
// also a log whose writer was cut short. These two can be told apart: behind damage, there are transactions that are
// whole.
//
// What is told:
// - a frame that is not as it was written, in any part, if a transaction that ends in a later frame is whole; also the
//   last frame, if a single bit of it is wrong;
// - a header that is not as it was written, if what follows it fits together.
// What cannot be told from a write that was cut short: more than one bit wrong in the last frame of the last
// transaction, or in the checksum that it goes on from. That transaction is then not in the journal, as if it had never
// been recorded.
//
// No damage are: a log that ends in the middle of a transaction, or of a frame, and frames that are left over from what
// the log held before it was begun anew.
#ifndef PILOTHOUSE_PROTO_JOURNAL_WAL_H_
#define PILOTHOUSE_PROTO_JOURNAL_WAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/journal/wal_format.h"

namespace pilothouse {

// Larger logs are not checked: a frame costs 40 bytes of memory.
inline constexpr uint64_t kMaxCheckedWalBytes = uint64_t{4} << 30;
// A frame of a page beyond, or of a database of more pages (16 GiB, as journals have them), cannot be as it was
// written.
inline constexpr uint32_t kMaxPlausiblePages = 1 << 22;

// The log of the journal at `path`.
inline std::string WalPathOf(const std::string& path) { return path + "-wal"; }

// What can be done about a damaged place.
struct WalRepair {
  // From 1. 0: the header, which can always be made again.
  int64_t frame = 0;
  // That the frame holds.
  uint32_t page = 0;
  // As it was written, for certain. Otherwise the page may be wrong in some bit.
  bool restored = true;
  // The bit to turn back. Without, a page that is damaged is to be taken as it is.
  std::optional<BitFlip> flip = std::nullopt;

  friend bool operator==(const WalRepair&, const WalRepair&) = default;
};

struct WalReport {
  // As the repaired one is to be.
  WalHeader header;
  // Frames of whole transactions, up to the first that cannot be repaired.
  int64_t frames = 0;
  // From there to the end of the last transaction that is whole.
  int64_t lost_frames = 0;
  // In those `frames`, in order.
  std::vector<WalRepair> repairs;

  bool damaged() const { return !repairs.empty() || lost_frames > 0; }
  friend bool operator==(const WalReport&, const WalReport&) = default;
};

// Reads a log, once, or twice and more where it finds damage: of a log that is being written, only what is found twice
// is told. There need be no such file. JOURNAL_FAILED: it cannot be opened. Thread-safe.
absl::StatusOr<WalReport> CheckWal(const std::string& wal_path);

// Writes the log with all that can be repaired, and nothing behind it, to `copy`, and syncs that. SQLite takes all of
// it. JOURNAL_FAILED, and no copy is left, if it cannot be written.
absl::Status CopyRepaired(const std::string& wal_path, const WalReport& report, const std::string& copy);

// Where it is damaged: "the header", "frame 7 (page 3) of 24". REQUIRES: report.damaged().
std::string DamagedPlaces(const WalReport& report);

// JOURNAL_FAILED, with what to do, if the log of a journal that nobody is to write now is damaged: read as it is, less
// would be seen than was recorded.
absl::Status RefuseDamagedWal(const std::string& journal_path);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_WAL_H_
