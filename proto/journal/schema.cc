#include "proto/journal/schema.h"

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse {
namespace {

// PRAGMA application_id: tells a journal from any other SQLite database. "pilt" in ASCII.
constexpr int64_t kApplicationId = 0x70696c74;

absl::StatusOr<int64_t> Pragma(const Database& database, absl::string_view name) {
  Statement select(database, absl::StrCat("PRAGMA ", name));
  const absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  return *row ? select.Integer(0) : 0;
}

}  // namespace

absl::Status CreateSchema(Database& database) {
  absl::Status status = database.Execute(kSchema);
  if (status.ok()) status = database.Execute(kSchemaOfCheckpoints);
  if (!status.ok()) return status;
  database.set_schema_version(kSchemaVersion);
  const std::string pragmas =
      absl::StrCat("PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", kSchemaVersion);
  return database.Execute(pragmas.c_str());
}

absl::Status MigrateSchema(Database& database) {
  if (database.schema_version() == kSchemaVersion) return absl::OkStatus();
  for (const char* table : {"meta", "run", "events"}) {
    absl::Status added = database.Execute(absl::StrCat("ALTER TABLE ", table, " ADD COLUMN sum INTEGER").c_str());
    if (!added.ok()) return added;
  }
  if (absl::Status made = database.Execute(kSchemaOfCheckpoints); !made.ok()) return made;
  database.set_schema_version(kSchemaVersion);
  return database.Execute(absl::StrCat("PRAGMA user_version = ", kSchemaVersion).c_str());
}

absl::Status CheckSchema(Database& database) {
  const absl::StatusOr<int64_t> id = Pragma(database, "application_id");
  if (!id.ok()) return id.status();
  if (*id != kApplicationId) {
    return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "", absl::StrCat(database.path(), " is no journal of a run."),
                     {{"cause", "not a journal"}, {"file", database.path()}});
  }
  const absl::StatusOr<int64_t> version = Pragma(database, "user_version");
  if (!version.ok()) return version.status();
  if (*version >= 1 && *version <= kSchemaVersion) {
    database.set_schema_version(static_cast<int>(*version));
    return absl::OkStatus();
  }
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The journal ", database.path(), " has schema ", *version,
                                ", written by a newer pilothoused; this one knows schemas up to ", kSchemaVersion,
                                ". Use the newer one."),
                   {{"cause", "newer schema"}, {"file", database.path()}});
}

}  // namespace pilothouse
