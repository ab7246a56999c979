// SQLite with statuses and ownership: a connection, and statements prepared on it.
//
// Not thread-safe: a connection and its statements are used by one thread at a time.
#ifndef PILOTHOUSE_PROTO_JOURNAL_SQLITE_H_
#define PILOTHOUSE_PROTO_JOURNAL_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse {

// In an error's metadata where the file is damaged.
inline constexpr char kDamagedKey[] = "damaged";

// How long a call waits for somebody else's lock on the file (a person's sqlite3 shell, say) before it fails.
inline constexpr int kBusyTimeoutMilliseconds = 2000;

// A connection. Errors are JOURNAL_FAILED with the file and SQLite's words.
class Database {
 public:
  enum class Mode {
    kCreate,
    kWrite,
    // As kWrite, but the write-ahead log is not folded into the file when the connection is closed, unless
    // FoldLogWhenClosed was called: the file is as it was if it turns out that it had better not be opened.
    kTryWrite,
    kRead,
  };

  // With kRead, a file that was cut off is opened, too; what is missing is damage.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Mode mode);

  // Runs one or more statements that return nothing of interest.
  absl::Status Execute(const char* sql);
  // Undoes what a failed transaction has begun; no effect outside one.
  void Rollback();

  // Of one that was opened with kTryWrite: it is to be as with kWrite.
  void FoldLogWhenClosed();

  // The error that SQLite reported last on this connection.
  absl::Status LastError() const;
  // That error says that the file is damaged, as opposed to locked, or memory short.
  bool SawDamage() const;

  // Which of the journal's schemas the file has, once CheckSchema has found out.
  int schema_version() const { return schema_version_; }
  void set_schema_version(int version) { schema_version_ = version; }
  // Rows have checksums.
  bool has_sums() const { return schema_version_ >= 3; }

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };

  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  static absl::StatusOr<std::unique_ptr<Database>> OpenUri(const std::string& path, const std::string& uri, int flags,
                                                           bool keep_log = false);

  const std::string path_;
  const std::unique_ptr<sqlite3, Close> handle_;
  int schema_version_ = 0;
};

// The error says that the file is damaged, as opposed to locked, missing, or of a newer version.
bool IsDamage(const absl::Status& status);

// A prepared statement. Errors in preparing and binding are kept and returned by Step.
//
//   Statement select(database, "SELECT value FROM meta WHERE key = ?1");
//   select.BindText(1, key);
//   absl::StatusOr<bool> row = select.Step();
//   if (row.ok() && *row) use(select.Bytes(0));
//
// The database must outlive it. Parameters count from 1, columns from 0, as in SQLite.
class Statement {
 public:
  Statement(const Database& database, absl::string_view sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // What is bound is copied.
  void BindInteger(int parameter, int64_t value);
  void BindReal(int parameter, double value);  // NaN becomes NULL
  void BindText(int parameter, absl::string_view text);
  void BindBytes(int parameter, absl::string_view bytes);
  void BindNull(int parameter);

  // True: there is a row, readable until the next call. False: there are no more.
  absl::StatusOr<bool> Step();
  // What a row of another statement holds there.
  void BindColumn(int parameter, const Statement& row, int column);
  // Makes it ready to be bound and stepped through again.
  void Reset() { sqlite3_reset(statement_); }
  // Step, for a statement that returns no rows; leaves it ready to be bound and run again.
  absl::Status Run();

  int64_t Integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double Real(int column) const { return sqlite3_column_double(statement_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  // Text or bytes; valid until the next call.
  absl::string_view Bytes(int column) const;

 private:
  void Keep(int code);

  const Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  // The first error in preparing and binding.
  absl::Status error_;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_SQLITE_H_
