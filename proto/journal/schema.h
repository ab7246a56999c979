// The journal's tables. A person reads them with the sqlite3 shell, programs through Journal and JournalReader.
#ifndef PILOTHOUSE_PROTO_JOURNAL_SCHEMA_H_
#define PILOTHOUSE_PROTO_JOURNAL_SCHEMA_H_

#include "absl/status/status.h"
#include "proto/journal/sqlite.h"

namespace pilothouse {

// PRAGMA user_version: raised whenever a program that knows only the version before would misread the file.
//   1  the first.
//   2  events and controls of plugins. The same tables.
//   3  checksums, the table `checkpoints`, and controls that take the run back.
// Whoever reads a journal takes it as it is; whoever is to write one brings it to the newest version first.
inline constexpr int kSchemaVersion = 3;

// Times are microseconds since 1970 (UTC); reals are NULL where the number is NaN. `payload`, `summary` and meta's
// `spec` hold serialized messages of pilothouse.v1, which are the full truth; the other columns show it. `sum` is the
// CRC-32 (see checksum.h) of what a row holds, which tells whether it was damaged since; NULL in events that
// were recorded by older versions.
inline constexpr char kSchema[] = R"sql(
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL,
  sum   INTEGER                     -- of the length of key, key, and value
) STRICT, WITHOUT ROWID;

-- One row: the run as it is now.
CREATE TABLE run (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  run_id         TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  end_time_us    INTEGER,
  status         TEXT NOT NULL,
  batch          INTEGER NOT NULL,
  target         INTEGER NOT NULL,
  loss           REAL,
  eta            REAL,
  last_sequence  INTEGER NOT NULL,
  last_report    INTEGER NOT NULL,
  summary        BLOB NOT NULL,     -- pilothouse.v1.Run without its spec
  sum            INTEGER            -- of last_sequence, last_report, and summary
) STRICT;

CREATE TABLE events (
  sequence      INTEGER PRIMARY KEY,
  batch         INTEGER NOT NULL,
  time_us       INTEGER NOT NULL,
  kind          TEXT NOT NULL,      -- loss, status, control, state, plugin, checkpoint
  value         REAL,               -- of a loss, status or state: the loss; of a control: the new value; of a plugin: NULL
  report_number INTEGER NOT NULL,   -- the trainer's number for it; 0: the service's own
  payload       BLOB NOT NULL,      -- pilothouse.v1.Event
  sum           INTEGER             -- of sequence, batch, time_us, report_number, value (as 8 bytes; NULL: all bits 1),
                                    -- kind, and payload
) STRICT;

-- Most events are losses: who wants the others does not have to read through them.
CREATE INDEX events_without_losses ON events (sequence) WHERE kind <> 'loss';

CREATE TABLE controls (
  control_id     INTEGER PRIMARY KEY REFERENCES events (sequence),
  request_id     TEXT UNIQUE,
  kind           TEXT NOT NULL,     -- knob, target, stop, attach_plugin, detach_plugin, reschedule_plugin, parameters,
                                    -- checkpoint, rewind
  name           TEXT,              -- of the knob, the plugin or the branch
  value          REAL,
  previous_value REAL,
  applied_batch  INTEGER NOT NULL,
  at_batch       INTEGER,           -- the batch asked for
  origin         TEXT NOT NULL,
  note           TEXT NOT NULL,
  time_us        INTEGER NOT NULL
) STRICT;
)sql";

// What version 3 has beside that.
inline constexpr char kSchemaOfCheckpoints[] = R"sql(
CREATE INDEX rewinds ON controls (control_id) WHERE kind = 'rewind';

CREATE TABLE checkpoints (
  sequence     INTEGER PRIMARY KEY REFERENCES events (sequence),
  batch        INTEGER NOT NULL,    -- whose state it holds
  file         TEXT,                -- below the run's directory; NULL: it could not be written
  bytes        INTEGER,
  sha256       TEXT,                -- of the file
  state_sha256 TEXT,                -- of what learning goes on from
  line         INTEGER NOT NULL,    -- how often the run had been taken back
  pinned       INTEGER NOT NULL,
  error        TEXT,                -- why it could not be written
  time_us      INTEGER NOT NULL
) STRICT;
)sql";

// Writes the schema into an empty database, within the caller's transaction.
absl::Status CreateSchema(Database& database);

// JOURNAL_FAILED unless the database is a journal of a schema known here, which it then knows itself.
absl::Status CheckSchema(Database& database);

// Brings a journal that CheckSchema has passed to the newest version, within the caller's transaction.
absl::Status MigrateSchema(Database& database);

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_SCHEMA_H_
