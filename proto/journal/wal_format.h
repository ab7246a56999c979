// The file of SQLite's write-ahead log, `<database>-wal`, as https://www.sqlite.org/fileformat2.html#walformat lays it
// out: a header, then frames, each of which holds a page of the database as a transaction left it. Every frame has a
// checksum that goes on from that of the frame before. Pure, save for WalFile; thread-safe.
#ifndef PILOTHOUSE_PROTO_JOURNAL_WAL_FORMAT_H_
#define PILOTHOUSE_PROTO_JOURNAL_WAL_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pilothouse {

inline constexpr size_t kWalHeaderBytes = 32;
inline constexpr size_t kWalFrameHeaderBytes = 24;
// What a frame's checksum covers of its header: the page's number, and the database's size if a transaction ends here.
inline constexpr size_t kWalSummedHeaderBytes = 8;
inline constexpr uint32_t kMinWalPageBytes = 512;
inline constexpr uint32_t kMaxWalPageBytes = 65536;

// A checksum. The numbers wrap around.
struct WalSum {
  uint32_t first = 0;
  uint32_t second = 0;

  friend bool operator==(const WalSum&, const WalSum&) = default;
};
WalSum operator+(WalSum one, WalSum other);
WalSum operator-(WalSum one, WalSum other);
// They differ in one bit.
bool OneBitApart(WalSum one, WalSum other);

// Goes on from `sum` over the bytes, a multiple of 8 of them, taken as words of 4.
WalSum SumOn(WalSum sum, absl::string_view bytes, bool big_endian);
// What remains of `sum` when it has gone on over so many bytes: SumOn(sum, bytes) is that plus SumOn({}, bytes).
WalSum Carried(WalSum sum, size_t bytes);

struct WalHeader {
  // How the checksums take words.
  bool big_endian = false;
  uint32_t page_bytes = 0;
  // How often the log was begun anew.
  uint32_t generation = 0;
  // In every frame of this generation; frames with others are left over from an older one.
  uint64_t salts = 0;
  // As stored: the first frame's goes on from it.
  WalSum sum;

  friend bool operator==(const WalHeader&, const WalHeader&) = default;
};
// As SQLite takes it; nullopt: it would not.
std::optional<WalHeader> ParseWalHeader(absl::string_view bytes);
// The first `kWalHeaderBytes` − 8 bytes with the checksum that is theirs.
std::string WalHeaderText(const WalHeader& header);
// The fields of a header whatever they hold, without asking whether they agree.
WalHeader PeekWalHeader(absl::string_view bytes);

struct WalFrame {
  // From 1.
  uint32_t page = 0;
  // Of the database, in pages, where a transaction ends; else 0.
  uint32_t size_after = 0;
  uint64_t salts = 0;
  // As stored.
  WalSum sum;
  // SumOn({}, what is summed).
  WalSum content;
};
// `bytes`: header and page.
WalFrame ParseWalFrame(absl::string_view bytes, bool big_endian);
// Writes salts and checksum into the frame's header.
void SealWalFrame(std::string& bytes, uint64_t salts, WalSum sum);
// The part of a frame that is summed, in two pieces.
inline absl::string_view SummedHeaderOf(absl::string_view frame) { return frame.substr(0, kWalSummedHeaderBytes); }
inline absl::string_view PageOf(absl::string_view frame) { return frame.substr(kWalFrameHeaderBytes); }

// Of a frame: byte `at` has the bit in `mask` wrong.
struct BitFlip {
  size_t at = 0;
  uint8_t mask = 0;

  friend bool operator==(const BitFlip&, const BitFlip&) = default;
};
// The bits of a frame's summed part any one of which, flipped, would have made its checksum wrong by `error` (what it
// is less what it should be). Of bits in the upper nine of a word there are several; of others one, or none: that more
// than a bit is wrong. By chance there is one in 10¹⁴.
std::vector<BitFlip> FlipsThatExplain(absl::string_view frame, WalSum error, bool big_endian);

// Reads the file.
class WalFile {
 public:
  explicit WalFile(const std::string& path) : stream_(path, std::ios::binary) {}

  bool opened() const { return stream_.is_open(); }
  // Less than asked for where the file ends.
  std::string Header() { return ReadAt(0, kWalHeaderBytes); }
  // From 0. Empty: it is not there as a whole.
  std::string Frame(int64_t index, uint32_t page_bytes);

 private:
  std::string ReadAt(uint64_t offset, size_t bytes);

  std::ifstream stream_;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_WAL_FORMAT_H_
