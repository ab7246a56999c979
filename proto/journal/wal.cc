#include "proto/journal/wal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

// Places that a sentence names.
constexpr size_t kMaxNamed = 5;
// How often a log is looked at while what is seen differs: somebody writes it.
constexpr int kMaxLooks = 5;

absl::Status WalError(const std::string& wal_path, absl::string_view cause) {
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal's log ", wal_path, " failed: ", cause, "."),
                   {{"cause", std::string(cause)}, {"file", wal_path}});
}

bool IsPlausible(const WalFrame& frame) {
  return frame.page >= 1 && frame.page <= kMaxPlausiblePages && frame.size_after <= kMaxPlausiblePages;
}

size_t SummedBytes(const WalHeader& header) { return kWalSummedHeaderBytes + header.page_bytes; }

// The checksum of a frame that follows one with the checksum `before`.
WalSum SumAfter(WalSum before, const WalFrame& frame, const WalHeader& header) {
  return Carried(before, SummedBytes(header)) + frame.content;
}

// Whether the frames agree with a header of which `header` holds what is not damaged; corrects its checksum.
bool Fits(WalFile& file, WalHeader& header) {
  const std::string one = file.Frame(0, header.page_bytes);
  if (one.empty()) return false;
  const WalFrame first = ParseWalFrame(one, header.big_endian);
  header.salts = first.salts;
  if (SumAfter(header.sum, first, header) == first.sum) return true;
  const WalSum own = PeekWalHeader(WalHeaderText(header)).sum;
  if (SumAfter(own, first, header) == first.sum) {
    header.sum = own;
    return true;
  }
  const std::string two = file.Frame(1, header.page_bytes);
  if (two.empty()) return false;
  const WalFrame second = ParseWalFrame(two, header.big_endian);
  return second.salts == first.salts && SumAfter(first.sum, second, header) == second.sum;
}

// A header for the frames of a log whose own is damaged.
std::optional<WalHeader> FindHeader(WalFile& file) {
  const std::string bytes = file.Header();
  if (bytes.size() < kWalHeaderBytes) return std::nullopt;
  for (const bool big_endian : {false, true}) {
    for (uint32_t page_bytes = kMinWalPageBytes; page_bytes <= kMaxWalPageBytes; page_bytes *= 2) {
      WalHeader header = PeekWalHeader(bytes);
      header.big_endian = big_endian;
      header.page_bytes = page_bytes;
      if (Fits(file, header)) return header;
    }
  }
  return std::nullopt;
}

// Goes through the frames, from the first to the last.
class WalScan {
 public:
  WalScan(WalFile& file, const WalHeader& header) : file_(file), header_(header), before_(header.sum) {
    for (std::string bytes = Bytes(0); !bytes.empty(); bytes = Bytes(size())) {
      frames_.push_back(ParseWalFrame(bytes, header_.big_endian));
    }
  }

  // Adds what there is to `report`.
  void Run(WalReport& report) {
    for (int64_t i = 0; i < size(); ++i) {
      const bool ours = At(i).salts == header_.salts;
      const bool whole = TakeWhole(i, ours) || (ours && Repair(i));
      if (!whole) Doubt(i, ours);
      if (whole && At(i).size_after != 0) {
        whole_end_ = i + 1;
        last_size_ = At(i).size_after;
      }
      if (unusable_ < 0 && At(i).size_after != 0) usable_end_ = i + 1;
      // Of leftovers, too, so that what is ours behind them is seen.
      anchored_ = ours || whole;
    }
    // What no whole transaction follows is the end of a log that was cut short.
    report.frames = unusable_ < 0 ? whole_end_ : std::min(usable_end_, whole_end_);
    report.lost_frames = whole_end_ - report.frames;
    for (WalRepair& repair : repairs_) {
      if (repair.frame <= report.frames) report.repairs.push_back(repair);
    }
  }

 private:
  int64_t size() const { return static_cast<int64_t>(frames_.size()); }
  WalFrame& At(int64_t i) { return frames_[static_cast<size_t>(i)]; }
  std::string Bytes(int64_t i) { return file_.Frame(i, header_.page_bytes); }

  void Note(int64_t i, bool restored, std::optional<BitFlip> flip = std::nullopt) {
    repairs_.push_back({i + 1, At(i).page, restored, flip});
  }

  // The frame goes on from the one before.
  bool TakeWhole(int64_t i, bool ours) {
    if (!(SumAfter(before_, At(i), header_) == At(i).sum)) return false;
    if (!ours && !anchored_) return false;
    before_ = At(i).sum;
    // Salts are in no checksum.
    if (!ours) Note(i, /*restored=*/true);
    return true;
  }

  bool NextFollows(int64_t i, WalSum sum) {
    return i + 1 < size() && SumAfter(sum, At(i + 1), header_) == At(i + 1).sum;
  }

  // A frame that is not as it was written, but what was can be found, or is sure to be wrong in one bit alone.
  bool Repair(int64_t i) {
    const WalSum sum = SumAfter(before_, At(i), header_);
    const std::string bytes = Bytes(i);
    if (bytes.empty()) return false;
    const bool sum_apart = OneBitApart(sum, At(i).sum) && !NextFollows(i, At(i).sum);
    const std::vector<BitFlip> flips = FlipsThatExplain(bytes, sum - At(i).sum, header_.big_endian);
    if (NextFollows(i, sum) || (sum_apart && flips.empty())) {
      // It is the checksum that is damaged.
      before_ = sum;
      Note(i, /*restored=*/true);
      return true;
    }
    if (flips.empty()) return false;
    before_ = At(i).sum;
    if (flips.size() == 1 && !sum_apart) return TurnBack(i, bytes, flips.front(), /*certain=*/true);
    if (const auto flip = Likeliest(i, bytes, flips); flip.has_value()) return TurnBack(i, bytes, *flip, false);
    if (IsPlausible(At(i))) Note(i, /*restored=*/false);
    return IsPlausible(At(i));
  }

  // Of several flips, one that the frames before and behind speak for.
  std::optional<BitFlip> Likeliest(int64_t i, const std::string& bytes, const std::vector<BitFlip>& flips) {
    const std::string earlier = EarlierPage(i, At(i).page);
    std::vector<BitFlip> likely;
    for (const BitFlip& flip : flips) {
      const std::string turned = Turned(bytes, flip);
      if (flip.at >= kWalFrameHeaderBytes) {
        // Most of a page is as the transaction before left it.
        if (!earlier.empty() && earlier[flip.at] == turned[flip.at]) likely.push_back(flip);
        continue;
      }
      const WalFrame frame = ParseWalFrame(turned, header_.big_endian);
      if (!InOrder(i, frame)) continue;
      const bool is_of_other = Unlike(bytes, EarlierPage(i, frame.page)) < Unlike(bytes, earlier);
      if (!InOrder(i, At(i)) || is_of_other) return flip;
    }
    return likely.size() == 1 ? std::optional(likely.front()) : std::nullopt;
  }

  // The frame of the page before; empty: there is none.
  std::string EarlierPage(int64_t i, uint32_t page) {
    while (--i >= 0) {
      if (At(i).page == page) return Bytes(i);
    }
    return "";
  }

  // In how many bytes a page is another than it was before: half of them, if that is not known.
  static size_t Unlike(const std::string& one, const std::string& earlier) {
    if (earlier.empty()) return one.size() / 2;
    size_t count = 0;
    for (size_t at = kWalFrameHeaderBytes; at < one.size(); ++at) count += one[at] != earlier[at] ? 1 : 0;
    return count;
  }

  // A transaction writes its pages in rising order, each once; databases like these never shrink.
  bool InOrder(int64_t i, const WalFrame& frame) {
    if (!IsPlausible(frame)) return false;
    if (i > 0 && At(i - 1).size_after == 0 && At(i - 1).page >= frame.page) return false;
    if (frame.size_after != 0) return frame.size_after >= std::max(frame.page, last_size_);
    return i + 1 < size() && At(i + 1).page > frame.page;
  }

  static std::string Turned(std::string bytes, const BitFlip& flip) {
    bytes[flip.at] = static_cast<char>(bytes[flip.at] ^ flip.mask);
    return bytes;
  }

  bool TurnBack(int64_t i, const std::string& bytes, const BitFlip& flip, bool certain) {
    At(i) = ParseWalFrame(Turned(bytes, flip), header_.big_endian);
    Note(i, certain, flip);
    return true;
  }

  // What follows tells what this is.
  void Doubt(int64_t i, bool ours) {
    before_ = At(i).sum;
    if (ours && IsPlausible(At(i))) {
      Note(i, /*restored=*/false);
    } else if (unusable_ < 0) {
      unusable_ = i;
    }
  }

  WalFile& file_;
  const WalHeader header_;
  std::vector<WalFrame> frames_;
  std::vector<WalRepair> repairs_;
  // The checksum that the next frame's goes on from.
  WalSum before_;
  bool anchored_ = true;
  // Of the database, in pages.
  uint32_t last_size_ = 0;
  // The first that cannot be taken even as it is; −1: none.
  int64_t unusable_ = -1;
  // Where transactions end: the last before `unusable_`, and the last of those that are whole.
  int64_t usable_end_ = 0;
  int64_t whole_end_ = 0;
};

absl::StatusOr<WalReport> Look(const std::string& wal_path) {
  WalReport report;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(wal_path, error);
  if (error == std::errc::no_such_file_or_directory) return report;
  if (error) return WalError(wal_path, error.message());
  if (bytes > kMaxCheckedWalBytes) return report;
  errno = 0;
  WalFile file(wal_path);
  // Whoever wrote the journal has just folded its log into it, and removed it.
  if (!file.opened() && errno == ENOENT) return report;
  if (!file.opened()) return WalError(wal_path, "it cannot be opened");
  std::optional<WalHeader> header = ParseWalHeader(file.Header());
  const bool whole = header.has_value();
  if (!whole) header = FindHeader(file);
  if (!header.has_value()) return report;
  report.header = *header;
  if (!whole) report.repairs.push_back({});
  WalScan(file, *header).Run(report);
  if (report.frames + report.lost_frames == 0) report.repairs.clear();
  return report;
}

absl::Status WriteRepaired(WalFile& file, const WalReport& report, std::ostream& copy) {
  const WalHeader& header = report.header;
  const std::string text = WalHeaderText(header);
  copy << text;
  WalSum sum = PeekWalHeader(text).sum;
  auto repair = report.repairs.begin();
  for (int64_t i = 0; i < report.frames; ++i) {
    std::string frame = file.Frame(i, header.page_bytes);
    if (frame.empty()) return absl::DataLossError("it has become shorter");
    for (; repair != report.repairs.end() && repair->frame <= i + 1; ++repair) {
      if (const std::optional<BitFlip>& flip = repair->flip; flip.has_value()) {
        frame[flip->at] = static_cast<char>(frame[flip->at] ^ flip->mask);
      }
    }
    sum = SumOn(SumOn(sum, SummedHeaderOf(frame), header.big_endian), PageOf(frame), header.big_endian);
    SealWalFrame(frame, header.salts, sum);
    copy << frame;
  }
  copy.flush();
  return copy.good() ? absl::OkStatus() : absl::DataLossError("its repaired copy could not be written");
}

bool Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced;
}

}  // namespace

absl::StatusOr<WalReport> CheckWal(const std::string& wal_path) {
  absl::StatusOr<WalReport> report = Look(wal_path);
  for (int look = 1; look < kMaxLooks && report.ok() && report->damaged(); ++look) {
    absl::StatusOr<WalReport> again = Look(wal_path);
    if (again.ok() && *again == *report) return report;
    report = std::move(again);
  }
  return report;
}

absl::Status CopyRepaired(const std::string& wal_path, const WalReport& report, const std::string& copy) {
  WalFile file(wal_path);
  std::ofstream stream(copy, std::ios::binary | std::ios::trunc);
  absl::Status written = WriteRepaired(file, report, stream);
  stream.close();
  if (written.ok() && !Sync(copy)) written = absl::DataLossError("its repaired copy could not be synced");
  if (written.ok()) return written;
  std::error_code ignored;
  std::filesystem::remove(copy, ignored);
  return WalError(wal_path, written.message());
}

std::string DamagedPlaces(const WalReport& report) {
  std::vector<std::string> places;
  for (const WalRepair& repair : report.repairs) {
    if (places.size() == kMaxNamed) {
      places.push_back("…");
      break;
    }
    places.push_back(repair.frame == 0 ? "the header"
                                       : absl::StrCat("frame ", repair.frame, " (page ", repair.page, ")"));
  }
  if (report.lost_frames > 0) places.push_back(absl::StrCat("all from frame ", report.frames + 1, " on"));
  return absl::StrCat(absl::StrJoin(places, ", "), " of ", report.frames + report.lost_frames);
}

absl::Status RefuseDamagedWal(const std::string& journal_path) {
  const std::string wal_path = WalPathOf(journal_path);
  const absl::StatusOr<WalReport> report = CheckWal(wal_path);
  if (!report.ok()) return report.status();
  if (!report->damaged()) return absl::OkStatus();
  const std::string cause = absl::StrCat("it is damaged: ", DamagedPlaces(*report));
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal's log ", wal_path, " failed: ", cause,
                                ". Read as it is, less would be seen than was recorded. Copy it again, with ",
                                std::filesystem::path(journal_path).filename().string(),
                                ", or start pilothoused on the run, which repairs what it can and says what is lost."),
                   {{"cause", cause}, {"file", wal_path}});
}

}  // namespace pilothouse
