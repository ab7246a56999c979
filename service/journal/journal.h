// A run's durable record, `<run directory>/run.db`: every event in order, every control with its receipt, and what the
// run is now. An SQLite database in WAL mode with one writer (Journal) and any number of readers (JournalReader), also
// while the writer writes. The schema is in schema.h; its columns can be read with the sqlite3 shell.
//
// Errors: JOURNAL_FAILED, with SQLite's words, whenever the file cannot be read or written; INTERNAL when the caller
// breaks a rule stated here.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_H_
#define PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "proto/journal/journal_reader.h"

namespace pilothouse::service {

struct MendedLog;

enum class Durability {
  // Survives the death of the process, not of the machine. For losses, periodic states and outputs of plugins.
  kUnsynced,
  // On disk before the call returns, with everything appended before it. For whatever somebody is told of: controls,
  // status, failures of plugins.
  kSynced,
};

// How far kSynced goes.
enum class JournalSync {
  // To the disk.
  kFull,
  // As kUnsynced: quicker, but what was acknowledged last may be gone after a crash of the machine. A crash of the
  // service loses nothing.
  kNormal,
};

// A journal is read through when it is opened for a run that goes on, if it is no larger than this, and whatever its
// size if its last writer did not close it. Of a larger one, damage shows when what is damaged is read.
inline constexpr int64_t kMaxBytesAlwaysChecked = 16 << 20;

struct NewRun {
  std::string run_id;
  // Of the StartRun, to be found again under kMetaStartRequestId. May be empty.
  std::string start_request_id;
  absl::Time create_time;
  v1::RunSpec spec;
  int64_t target = 0;
  // What Meta is to give from the beginning on.
  std::map<std::string, std::string> meta = {};
};

// The writer. There is at most one at a time for a run. Not thread-safe: used by the run's own thread.
class Journal {
 public:
  // Makes the file, which must not exist in a directory that must. The run is STARTING at batch 0 with loss −1. Durable
  // when it returns (the directory's own entry in its parent is the caller's).
  static absl::StatusOr<std::unique_ptr<Journal>> Create(const std::string& path, const NewRun& run,
                                                         JournalSync sync = JournalSync::kFull);
  // Opens a journal, recovers it if its last writer was killed, and brings one of an older schema to the newest. Of one
  // that is damaged, a copy of all that can be read takes its place, if that is enough for the run to go on; a damaged
  // write-ahead log is repaired: see damage(). Refuses files that are no journal and journals of a newer schema.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path, JournalSync sync = JournalSync::kFull);
  // Folds the write-ahead log into the file.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Appends `entries` in one transaction, and makes `now`, if given, what LoadRun returns. Either all of it or, on an
  // error, nothing; the journal can then be used on, and the same append tried again. Sequences continue without holes;
  // a request_id of a control is not recorded yet. With kSynced, this and all before it is on disk when OK is returned.
  absl::Status Append(absl::Span<const JournalEntry> entries, Durability durability, const v1::Run* now = nullptr);

  // Changes what LoadRun returns, without an event.
  absl::Status SetRun(const v1::Run& now, Durability durability);

  // The run as it was last set, with its spec, run_id, create_time and last_sequence. `directory` is unset: journals
  // travel.
  absl::StatusOr<v1::Run> LoadRun() const;

  // nullopt: no control with this request_id was applied.
  absl::StatusOr<std::optional<RecordedControl>> FindControl(absl::string_view request_id) const;

  // Small values kept beside the run. Meta gives nullopt for an unknown key. SetMeta is synced.
  absl::StatusOr<std::optional<std::string>> Meta(absl::string_view key) const;
  absl::Status SetMeta(absl::string_view key, absl::string_view value);

  // What was damaged when the journal was opened, and what was lost: a sentence or two.
  const std::optional<std::string>& damage() const { return damage_; }

  // Sequence of the newest event; 0: none. Never lower than it was, also where events were lost.
  uint64_t last_sequence() const { return last_sequence_; }
  // Highest report number appended; 0: none.
  uint64_t last_report() const { return last_report_; }

 private:
  Journal(std::unique_ptr<Database> database, JournalSync sync);

  // As Open, of one whose log was mended and may still hold a page that is wrong: takes that page, or leaves out what
  // was recorded from there on, whichever leaves more. Adds a sentence about what was salvaged to `damage`.
  static absl::StatusOr<std::unique_ptr<Journal>> OpenDoubtful(const std::string& path, JournalSync sync,
                                                               MendedLog& mended, std::vector<std::string>& damage);
  // Salvages what is damaged; adds a sentence about that to `damage`.
  static absl::StatusOr<std::unique_ptr<Journal>> OpenSalvaged(const std::string& path, JournalSync sync,
                                                               std::vector<std::string>& damage);
  // Of a doubtful one, nothing is folded into the file yet.
  static absl::StatusOr<std::unique_ptr<Journal>> OpenChecked(const std::string& path, JournalSync sync, bool doubtful);
  static absl::StatusOr<std::unique_ptr<Journal>> OpenWhole(const std::string& path, JournalSync sync, bool doubtful);
  absl::Status Check(bool suspect) const;
  // Runs `write` in a transaction with the durability asked for.
  absl::Status Transact(Durability durability, const std::function<absl::Status()>& write);
  absl::Status Insert(absl::Span<const JournalEntry> entries, const v1::Run* now, uint64_t last_report);

  std::unique_ptr<Database> database_;
  const JournalSync sync_;
  std::optional<std::string> damage_;
  uint64_t last_sequence_ = 0;
  uint64_t last_report_ = 0;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_H_
