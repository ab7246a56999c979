#include "proto/journal/sqlite.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

constexpr char kFirstRead[] = "SELECT count(*) FROM sqlite_schema";

absl::Status SqliteError(const std::string& path, absl::string_view cause, bool damaged = false) {
  ErrorMetadata metadata = {{"cause", std::string(cause)}, {"file", path}};
  if (damaged) metadata.emplace_back(kDamagedKey, "true");
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "", absl::StrCat("The journal ", path, " failed: ", cause, "."),
                   metadata);
}

// As a file: URI, in which '?', '#' and '%' would not mean themselves.
std::string FileUri(const std::string& path, absl::string_view parameters) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      absl::StrAppend(&uri, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      uri += c;
    }
  }
  absl::StrAppend(&uri, parameters);
  return uri;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Mode mode) {
  switch (mode) {
    case Mode::kCreate:
      if (access(path.c_str(), F_OK) == 0) return SqliteError(path, "the file exists already");
      return OpenUri(path, FileUri(path, ""), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    case Mode::kWrite:
      return OpenUri(path, FileUri(path, ""), SQLITE_OPEN_READWRITE);
    case Mode::kTryWrite:
      return OpenUri(path, FileUri(path, ""), SQLITE_OPEN_READWRITE, /*keep_log=*/true);
    case Mode::kRead:
      break;
  }
  auto database = OpenUri(path, FileUri(path, ""), SQLITE_OPEN_READONLY);
  if (database.ok()) return database;
  // Where nothing may be written beside the file and no writer has left its log there, SQLite cannot set up its shared
  // memory. Then nobody is writing either, and the file can be read as it is.
  if (access((path + "-wal").c_str(), F_OK) == 0 || access(path.c_str(), R_OK) != 0) return database;
  auto immutable = OpenUri(path, FileUri(path, "?immutable=1"), SQLITE_OPEN_READONLY);
  return immutable.ok() ? std::move(immutable) : std::move(database);
}

absl::StatusOr<std::unique_ptr<Database>> Database::OpenUri(const std::string& path, const std::string& uri, int flags,
                                                            bool keep_log) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (handle == nullptr) return SqliteError(path, "out of memory");
  if (code != SQLITE_OK) return database->LastError();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMilliseconds);
  if (keep_log) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // Opening reads nothing; this does, and so finds out whether the file can be used.
  absl::Status status = database->Execute(kFirstRead);
  if (!status.ok() && database->SawDamage() && (flags & SQLITE_OPEN_READONLY) != 0) {
    // SQLite then no longer minds that the file is shorter than its header says.
    status = database->Execute("PRAGMA writable_schema = ON");
    if (status.ok()) status = database->Execute(kFirstRead);
  }
  if (!status.ok()) return status;
  return database;
}

absl::Status Database::Execute(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return LastError();
  return absl::OkStatus();
}

void Database::Rollback() {
  if (sqlite3_get_autocommit(handle()) == 0) sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::FoldLogWhenClosed() { sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr); }

absl::Status Database::LastError() const { return SqliteError(path_, sqlite3_errmsg(handle()), SawDamage()); }

bool Database::SawDamage() const {
  const int code = sqlite3_extended_errcode(handle());
  const int kind = code & 0xff;
  return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || code == SQLITE_IOERR_READ ||
         code == SQLITE_IOERR_SHORT_READ;
}

bool IsDamage(const absl::Status& status) {
  return ReasonOf(status) == v1::ERROR_REASON_JOURNAL_FAILED && ToError(status).metadata().contains(kDamagedKey);
}

Statement::Statement(const Database& database, absl::string_view sql) : database_(database) {
  Keep(sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement_, nullptr));
}

void Statement::Keep(int code) {
  if (code != SQLITE_OK && error_.ok()) error_ = database_.LastError();
}

void Statement::BindInteger(int parameter, int64_t value) { Keep(sqlite3_bind_int64(statement_, parameter, value)); }

void Statement::BindReal(int parameter, double value) { Keep(sqlite3_bind_double(statement_, parameter, value)); }

void Statement::BindText(int parameter, absl::string_view text) {
  Keep(sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                           SQLITE_UTF8));
}

void Statement::BindBytes(int parameter, absl::string_view bytes) {
  Keep(sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_TRANSIENT));
}

void Statement::BindNull(int parameter) { Keep(sqlite3_bind_null(statement_, parameter)); }

void Statement::BindColumn(int parameter, const Statement& row, int column) {
  Keep(sqlite3_bind_value(statement_, parameter, sqlite3_column_value(row.statement_, column)));
}

absl::StatusOr<bool> Statement::Step() {
  if (!error_.ok()) return error_;
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return database_.LastError();
  }
}

absl::Status Statement::Run() {
  const absl::StatusOr<bool> row = Step();
  if (!error_.ok()) return error_;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  return row.status();
}

absl::string_view Statement::Bytes(int column) const {
  // The pointer has to be asked for before the size.
  const void* data = sqlite3_column_blob(statement_, column);
  return absl::string_view(static_cast<const char*>(data), sqlite3_column_bytes(statement_, column));
}

}  // namespace pilothouse
