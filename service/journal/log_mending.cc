#include "service/journal/log_mending.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/journal/set_aside.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

// Being written.
constexpr char kMending[] = ".mending";

// `mending` becomes the log of the journal at `path`.
absl::Status PutInPlace(const std::string& path, const std::string& mending) {
  const std::string log = WalPathOf(path);
  std::error_code error;
  // It is an index of the log that was there before. SQLite makes another.
  fs::remove(path + "-shm", error);
  if (!error) fs::rename(mending, log, error);
  if (error) return CannotSetAside(log, error.message());
  return SyncDirectoryOf(path);
}

absl::Status PutPart(const std::string& path, const WalReport& part) {
  const std::string log = WalPathOf(path);
  const std::string mending = log + kMending;
  std::error_code error;
  const fs::perms mode = fs::status(log, error).permissions();
  if (absl::Status copied = CopyRepaired(log, part, mending); !copied.ok()) return copied;
  fs::permissions(mending, mode, error);
  return PutInPlace(path, mending);
}

std::vector<WalRepair>::const_iterator FirstDoubtful(const WalReport& report) {
  return std::find_if(report.repairs.begin(), report.repairs.end(),
                      [](const WalRepair& repair) { return !repair.restored; });
}

}  // namespace

absl::StatusOr<std::optional<MendedLog>> MendLog(const std::string& path) {
  const std::string log = WalPathOf(path);
  absl::StatusOr<WalReport> report = CheckWal(log);
  if (!report.ok()) return report.status();
  if (!report->damaged()) return std::nullopt;
  MendedLog mended{*std::move(report), KeptName(log)};
  if (absl::Status kept = Keep(log); !kept.ok()) return kept;
  if (absl::Status put = PutPart(path, mended.report); !put.ok()) return put;
  return mended;
}

bool IsDoubtful(const MendedLog& mended) { return FirstDoubtful(mended.report) != mended.report.repairs.end(); }

absl::Status ShortenLog(const std::string& path, MendedLog& mended) {
  // It is as it is to be up to there: only the end changes.
  WalReport part = mended.report;
  part.frames = FirstDoubtful(mended.report)->frame - 1;
  part.repairs.clear();
  mended.shortened = true;
  return PutPart(path, part);
}

absl::Status UndoShortening(const std::string& path, MendedLog& mended) {
  const std::string mending = WalPathOf(path) + kMending;
  mended.shortened = false;
  if (absl::Status copied = CopyRepaired(mended.kept, mended.report, mending); !copied.ok()) return copied;
  return PutInPlace(path, mending);
}

std::string MendedSentence(const MendedLog& mended) {
  const WalReport& report = mended.report;
  std::string sentence = absl::StrCat("The log of its journal was damaged (", DamagedPlaces(report), "), and ");
  if (mended.shortened) {
    absl::StrAppend(&sentence, "what was recorded from frame ", FirstDoubtful(report)->frame, " on is lost");
  } else if (report.lost_frames > 0) {
    absl::StrAppend(&sentence, "what was recorded from frame ", report.frames + 1, " on is lost");
  } else {
    absl::StrAppend(&sentence, IsDoubtful(mended)
                                   ? "all of it was taken, with a page that could not be repaired for certain"
                                   : "nothing of it is lost");
  }
  return absl::StrCat(sentence, "; the damaged log is kept as ", fs::path(mended.kept).filename().string(), ".");
}

}  // namespace pilothouse::service
