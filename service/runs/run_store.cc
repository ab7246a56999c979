#include "service/runs/run_store.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "proto/support/text.h"
#include "service/runs/process.h"
#include "service/runs/run_end.h"
#include "service/runs/run_id.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

constexpr char kMetaToken[] = "trainer_token";
// Of a fork: a ForkRequest, and a Welcome with what its first trainer is told besides.
constexpr char kMetaForkRequest[] = "fork_request";
constexpr char kMetaBeginning[] = "fork_beginning";

// Makes a new entry of the directory durable; the journal has synced everything below it.
void SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

// What a journal says about its run. The token and the data's paths are left to the caller.
absl::Status LoadFrom(std::unique_ptr<Journal> journal, StoredRun& stored) {
  absl::StatusOr<v1::Run> run = journal->LoadRun();
  if (!run.ok()) return run.status();
  stored.journal = std::move(journal);
  stored.spec = run->spec();
  stored.run = *std::move(run);
  stored.run.set_directory(stored.place.directory);
  if (stored.spec.has_parent()) {
    *stored.run.mutable_parent() = stored.spec.parent();
    // That is where it is, also before it has said so.
    if (stored.run.last_sequence() == 0) stored.run.set_batch(stored.spec.parent().batch());
  }
  DropLargeValues(*stored.run.mutable_spec());
  return absl::OkStatus();
}

// Two runs with one id would be taken for each other.
absl::Status NotItsOwn(const RunPlace& place, const std::string& owner) {
  return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                   absl::StrCat("The directory ", place.directory, " holds the run ", owner,
                                ": it is a copy, or was renamed. Move it elsewhere, where `pilot replay DIRECTORY` can "
                                "go through it, or give it the name of its run."),
                   {{"run_id", owner}});
}

std::string MetaOr(const Journal& journal, const char* key, std::string otherwise) {
  absl::StatusOr<std::optional<std::string>> value = journal.Meta(key);
  return value.ok() && value->has_value() ? **std::move(value) : std::move(otherwise);
}

// What a later service has to know besides, so as to go on with the run.
// All that the next service needs if this one dies before the first event: written together or not at all.
NewRun Describe(const RunPlace& place, const RunToStart& run) {
  NewRun description{.run_id = run.run_id,
                     .start_request_id = run.request_id,
                     .create_time = absl::Now(),
                     .spec = run.spec,
                     .target = run.target,
                     .meta = {{kMetaToken, place.token}}};
  if (run.fork.has_value()) {
    description.meta[kMetaForkRequest] = run.fork->SerializeAsString();
    description.meta[kMetaBeginning] = run.beginning.SerializeAsString();
  }
  return description;
}

}  // namespace

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count));
  return bytes;
}

uint64_t RandomNumber() {
  uint64_t number = 0;
  const std::string bytes = RandomBytes(sizeof(number));
  std::memcpy(&number, bytes.data(), sizeof(number));
  return number;
}

absl::Status RunAlreadyExists(const std::string& run_id, const std::string& field) {
  return MakeError(v1::ERROR_REASON_RUN_ALREADY_EXISTS, field,
                   absl::StrCat("There is a run ", run_id, " already; choose another name."), {{"run_id", run_id}});
}

absl::Status RunStore::Prepare() const {
  std::error_code error;
  fs::create_directories(options_.directory, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("Could not make ", options_.directory, ": ", error.message(), "."));
}

RunPlace RunStore::PlaceOf(const std::string& run_id, std::string token, DataPaths data) const {
  return {.directory = absl::StrCat(options_.directory, "/", run_id),
          .trainer_command = {options_.trainer_program, "--service", options_.trainer_address, "--run", run_id,
                              "--orphan-timeout", absl::FormatDuration(options_.orphan_timeout)},
          .token = std::move(token),
          .data = std::move(data),
          .find_data = {}};
}

std::function<absl::StatusOr<DataPaths>()> RunStore::FinderOf(const v1::RunSpec& spec) const {
  return [&datasets = datasets_, data = spec.data()] { return datasets.Locate(data); };
}

absl::StatusOr<StoredRun> RunStore::Create(const RunToStart& run) const {
  StoredRun stored;
  stored.place = PlaceOf(run.run_id, absl::BytesToHexString(RandomBytes(kTokenBytes)), run.data);
  stored.start_request_id = run.request_id;
  stored.beginning = run.beginning;
  const RunPlace& place = stored.place;
  std::error_code error;
  if (!fs::create_directory(place.directory, error)) {
    if (!error) return RunAlreadyExists(run.run_id, run.run_id_field);
    return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                     absl::StrCat("Could not make the run's directory ", place.directory, ": ", error.message(), "."),
                     {{"cause", error.message()}});
  }
  absl::StatusOr<std::unique_ptr<Journal>> journal =
      Journal::Create(place.journal_path(), Describe(place, run), options_.journal_sync);
  absl::Status made = journal.status();
  if (made.ok()) made = LoadFrom(*std::move(journal), stored);
  if (!made.ok()) {
    Remove(place);
    return made;
  }
  SyncDirectory(options_.directory);
  stored.place.find_data = FinderOf(stored.spec);
  return stored;
}

absl::StatusOr<std::optional<v1::ForkRequest>> RunStore::LoadForkRequest(const RunPlace& place) {
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place.journal_path());
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::optional<std::string>> noted = (*reader)->Meta(kMetaForkRequest);
  if (!noted.ok()) return noted.status();
  v1::ForkRequest request;
  if (!noted->has_value() || !request.ParseFromString(**noted)) return std::nullopt;
  return request;
}

std::vector<std::string> RunStore::RunIds() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.directory, error)) {
    std::string run_id = entry.path().filename().string();
    if (CheckRunId(run_id).ok() && fs::exists(entry.path() / kJournalFile, error)) ids.push_back(std::move(run_id));
  }
  return ids;
}

absl::StatusOr<StoredRun> RunStore::Load(const std::string& run_id) const {
  StoredRun stored;
  stored.place = PlaceOf(run_id);
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(stored.place.journal_path(), options_.journal_sync);
  if (!journal.ok()) return journal.status();
  if ((*journal)->damage().has_value()) Log(absl::StrCat("run ", run_id, ": ", *(*journal)->damage()));
  if (absl::Status loaded = LoadFrom(*std::move(journal), stored); !loaded.ok()) return loaded;
  if (stored.run.run_id() != run_id) return NotItsOwn(stored.place, stored.run.run_id());
  stored.start_request_id = MetaOr(*stored.journal, kMetaStartRequestId, "");
  stored.place.token = MetaOr(*stored.journal, kMetaToken, "");
  stored.beginning.ParseFromString(MetaOr(*stored.journal, kMetaBeginning, ""));
  stored.place.find_data = FinderOf(stored.spec);
  if (absl::StatusOr<DataPaths> data = stored.place.find_data(); data.ok()) stored.place.data = *std::move(data);
  return stored;
}

v1::Run RunStore::Unreadable(const std::string& run_id, const absl::Status& why) const {
  const RunPlace place = PlaceOf(run_id);
  v1::Run run;
  run.set_run_id(run_id);
  const bool lives = IsLocked(place.lock_path());
  run.set_status(lives ? v1::RUN_STATUS_LOST : v1::RUN_STATUS_FAILED);
  run.set_status_message(absl::StrCat("Its journal cannot be read: ", ValidUtf8(why.message()),
                                      lives ? " Its trainer lives; start the service again when that is mended." : ""));
  run.set_directory(place.directory);
  run.set_loss(-1);
  // How it ended is told beside the journal, too.
  if (const std::optional<RunEnd> end = ReadRunEnd(place.directory); end.has_value() && !lives) {
    run.set_batch(end->batch);
    run.set_target(end->batch);
    run.set_loss(end->loss);
    run.set_status_message(absl::StrCat(run.status_message(), " It had ended as ", StatusName(end->status),
                                        " at batch ", end->batch, "."));
  }
  return run;
}

void RunStore::Remove(const RunPlace& place) {
  std::error_code ignored;
  fs::remove_all(place.directory, ignored);
}

}  // namespace pilothouse::service
