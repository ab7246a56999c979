#include "service/runs/run_registry.h"

#include <fcntl.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "proto/support/text.h"
#include "service/journal/journal.h"
#include "service/runs/process.h"
#include "service/runs/run_id.h"
#include "service/runs/run_summary.h"
#include "service/runs/saved_run.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::TimeUtil;

constexpr char kMetaToken[] = "trainer_token";
// Names are drawn until one is free; with 921,600 of them, that so many are taken in a row means something else is
// wrong.
constexpr int kMaxNameDraws = 100;
constexpr size_t kTokenBytes = 16;
// When all runs are to stop: how often they are told, and how long killed trainers are given to be gone.
constexpr std::chrono::milliseconds kAskAgainAfter{250};
constexpr std::chrono::seconds kDeathPatience{5};

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

// Makes a new entry of the directory durable; the journal has synced everything below it.
void SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

absl::Status AlreadyExists(const std::string& run_id) {
  return MakeError(v1::ERROR_REASON_RUN_ALREADY_EXISTS, "run_id",
                   absl::StrCat("There is a run ", run_id, " already; choose another name."), {{"run_id", run_id}});
}

absl::Status Stopping() { return MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "", "The service is shutting down."); }

absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                   "The service has too much to do just now; try again shortly.");
}

// What a run whose journal cannot be read is shown as.
v1::Run Unreadable(const std::string& run_id, const RunPlace& place, const absl::Status& why) {
  v1::Run run;
  run.set_run_id(run_id);
  const bool lives = IsLocked(place.lock_path());
  run.set_status(lives ? v1::RUN_STATUS_LOST : v1::RUN_STATUS_FAILED);
  run.set_status_message(absl::StrCat("Its journal cannot be read: ", ValidUtf8(why.message()),
                                      lives ? " Its trainer lives; start the service again when that is mended." : ""));
  run.set_directory(place.directory);
  run.set_loss(-1);
  return run;
}

}  // namespace

RunRegistry::RunRegistry(RegistryOptions options, const DatasetStore& datasets, WorkPool& pool, WorkPool& saved_pool)
    : options_(std::move(options)), datasets_(datasets), pool_(pool), saved_pool_(saved_pool) {}

absl::StatusOr<std::unique_ptr<RunRegistry>> RunRegistry::Open(RegistryOptions options, const DatasetStore& datasets,
                                                               WorkPool& pool, WorkPool& saved_pool) {
  std::unique_ptr<RunRegistry> registry(new RunRegistry(std::move(options), datasets, pool, saved_pool));
  std::error_code error;
  fs::create_directories(registry->RunsDirectory(), error);
  if (error) {
    return absl::InternalError(absl::StrCat("Could not make ", registry->RunsDirectory(), ": ", error.message(), "."));
  }
  registry->Recover();
  return registry;
}

RunRegistry::~RunRegistry() { Shutdown(/*stop_runs=*/false, std::chrono::seconds(0)); }

std::string RunRegistry::RunsDirectory() const { return options_.data_directory + "/runs"; }

RunPlace RunRegistry::PlaceOf(const std::string& run_id, std::string token, DataPaths data) const {
  return {.directory = absl::StrCat(RunsDirectory(), "/", run_id),
          .trainer_command = {options_.trainer_program, "--service", options_.trainer_address, "--run", run_id,
                              "--orphan-timeout", absl::FormatDuration(options_.orphan_timeout)},
          .token = std::move(token),
          .data = std::move(data)};
}

void RunRegistry::Recover() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(RunsDirectory(), error)) {
    const std::string run_id = entry.path().filename().string();
    if (!CheckRunId(run_id).ok() || !fs::exists(entry.path() / kJournalFile, error)) continue;
    absl::StatusOr<std::shared_ptr<Run>> run = Reopen(run_id);
    if (!run.ok()) {
      Log(absl::StrCat("run ", run_id, ": ", run.status().message()));
      auto hub = std::make_shared<EventHub>(run_id);
      RunPlace place = PlaceOf(run_id, "", {});
      hub->SetRun(Unreadable(run_id, place, run.status()));
      hub->Close();
      run = std::make_shared<Run>(run_id, std::move(place), std::move(hub));
    }
    MutexLock lock(mutex_);
    runs_[run_id] = *run;
  }
}

absl::StatusOr<std::shared_ptr<Run>> RunRegistry::Reopen(const std::string& run_id) {
  RunPlace place = PlaceOf(run_id, "", {});
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(place.journal_path());
  if (!journal.ok()) return journal.status();
  absl::StatusOr<v1::Run> run = (*journal)->LoadRun();
  if (!run.ok()) return run.status();
  const absl::StatusOr<std::optional<std::string>> request_id = (*journal)->Meta(kMetaStartRequestId);
  if (request_id.ok() && request_id->has_value() && !(*request_id)->empty()) {
    MutexLock lock(mutex_);
    starts_[**request_id] = run_id;
  }
  v1::RunSpec spec = run->spec();
  run->set_directory(place.directory);
  DropLargeValues(*run->mutable_spec());
  if (IsTerminal(run->status())) {
    auto hub = std::make_shared<EventHub>(run_id);
    hub->SetRun(*run);
    hub->Close();
    return std::make_shared<Run>(run_id, std::move(place), std::move(hub));
  }
  const absl::StatusOr<std::optional<std::string>> token = (*journal)->Meta(kMetaToken);
  if (token.ok() && token->has_value()) place.token = **token;
  if (absl::StatusOr<DataPaths> data = datasets_.Find(spec.data()); data.ok()) place.data = *std::move(data);
  auto hub = std::make_shared<EventHub>(run_id);
  auto keeper = std::make_unique<RunKeeper>(place, std::move(spec), *std::move(journal), hub, *std::move(run));
  // Before anybody can see the run: it is LOST, not what it was when the former service ended.
  keeper->AwaitReturn(std::chrono::steady_clock::now());
  return MakeLive(std::move(keeper), std::move(place), std::move(hub), nullptr);
}

std::shared_ptr<Run> RunRegistry::MakeLive(std::unique_ptr<RunKeeper> keeper, RunPlace place,
                                           std::shared_ptr<EventHub> hub, std::function<void(RunKeeper&)> begin) {
  const std::string run_id = hub->run_id();
  return std::make_shared<Run>(run_id, std::move(place), std::move(hub), std::move(keeper), std::move(begin),
                               [this](Run& ended, bool refused) { OnEnd(ended, refused); });
}

absl::StatusOr<RunRegistry::Reservation> RunRegistry::Reserve(const v1::StartRunRequest& request) {
  MutexLock lock(mutex_);
  if (stopping_) return Stopping();
  if (const auto known = starts_.find(request.request_id()); known != starts_.end()) {
    return Reservation{.run_id = known->second, .repeated = true};
  }
  const auto lives = [](const auto& entry) { return entry.second == nullptr || entry.second->alive(); };
  if (static_cast<size_t>(std::count_if(runs_.begin(), runs_.end(), lives)) >= options_.max_live_runs) {
    return MakeError(
        v1::ERROR_REASON_TOO_MANY_RUNS, "",
        absl::StrCat("This service keeps at most ", options_.max_live_runs, " runs alive; stop one first."),
        {{"limit", absl::StrCat(options_.max_live_runs)}});
  }
  std::string run_id = request.run_id();
  if (!run_id.empty() && runs_.contains(run_id)) return AlreadyExists(run_id);
  for (int draw = 0; run_id.empty() && draw < kMaxNameDraws; ++draw) {
    const std::string drawn = MakeRunId(RandomNumber());
    if (!runs_.contains(drawn)) run_id = drawn;
  }
  if (run_id.empty()) return MakeError(v1::ERROR_REASON_INTERNAL, "run_id", "No free name was found; give one.");
  runs_[run_id] = nullptr;
  if (!request.request_id().empty()) starts_[request.request_id()] = run_id;
  return Reservation{.run_id = run_id, .repeated = false};
}

void RunRegistry::Release(const std::string& run_id, const std::string& request_id) {
  MutexLock lock(mutex_);
  runs_.erase(run_id);
  if (const auto start = starts_.find(request_id); start != starts_.end() && start->second == run_id)
    starts_.erase(start);
}

void RunRegistry::AnswerRepeatedStart(const v1::StartRunRequest& request, const std::string& run_id,
                                      const StartCallback& callback) {
  const absl::StatusOr<std::shared_ptr<Run>> run = Find(run_id);
  v1::RunSpec spec = request.spec();
  DropLargeValues(spec);
  // Not found: its name is taken, but it is not there yet.
  const v1::Run now = run.ok() ? (*run)->Now() : v1::Run();
  if (run.ok() && !google::protobuf::util::MessageDifferencer::Equals(spec, now.spec())) {
    return callback(RequestIdReused(request.request_id()));
  }
  if (run.ok() && now.status() != v1::RUN_STATUS_STARTING) return callback(now);
  callback(MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "request_id",
                     absl::StrCat("The run ", run_id, " is being started; ask again shortly."),
                     {{"run_id", run_id}, {"status", "STARTING"}}));
}

void RunRegistry::Start(const v1::StartRunRequest& request, const StartCallback& callback) {
  std::vector<std::shared_ptr<Run>> ending;
  {
    MutexLock lock(mutex_);
    ending.swap(ending_);
  }
  ending.clear();
  absl::StatusOr<DataPaths> data = datasets_.Find(request.spec().data());
  if (!data.ok()) return callback(WithFieldPrefix(data.status(), "spec.data"));
  const absl::StatusOr<Reservation> reservation = Reserve(request);
  if (!reservation.ok()) return callback(reservation.status());
  const std::string& run_id = reservation->run_id;
  if (reservation->repeated) return AnswerRepeatedStart(request, run_id, callback);
  absl::StatusOr<std::shared_ptr<Run>> run = Create(request, run_id, *std::move(data), callback);
  if (!run.ok()) {
    Release(run_id, request.request_id());
    return callback(run.status());
  }
}

absl::StatusOr<std::shared_ptr<Run>> RunRegistry::Create(const v1::StartRunRequest& request, const std::string& run_id,
                                                         DataPaths data, const StartCallback& callback) {
  RunPlace place = PlaceOf(run_id, absl::BytesToHexString(RandomBytes(kTokenBytes)), std::move(data));
  std::error_code error;
  if (!fs::create_directory(place.directory, error)) {
    if (!error) return AlreadyExists(run_id);
    return MakeError(v1::ERROR_REASON_JOURNAL_FAILED, "",
                     absl::StrCat("Could not make the run's directory ", place.directory, ": ", error.message(), "."),
                     {{"cause", error.message()}});
  }
  NewRun description{
      .run_id = run_id, .start_request_id = request.request_id(), .create_time = absl::Now(), .spec = request.spec()};
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Create(place.journal_path(), description);
  absl::Status stored = journal.status();
  if (stored.ok()) stored = (*journal)->SetMeta(kMetaToken, place.token);
  if (!stored.ok()) {
    fs::remove_all(place.directory, error);
    return stored;
  }
  SyncDirectory(RunsDirectory());
  absl::StatusOr<v1::Run> run = (*journal)->LoadRun();
  if (!run.ok()) return run.status();
  run->set_target(request.target());
  run->set_directory(place.directory);
  DropLargeValues(*run->mutable_spec());
  auto hub = std::make_shared<EventHub>(run_id);
  auto keeper = std::make_unique<RunKeeper>(place, request.spec(), *std::move(journal), hub, *std::move(run));
  MutexLock lock(mutex_);
  if (stopping_) {
    fs::remove_all(place.directory, error);
    return Stopping();
  }
  // The run is started on its own thread; its trainer finds it by its name, which waits for this lock.
  std::shared_ptr<Run> live = MakeLive(std::move(keeper), std::move(place), std::move(hub), [callback](RunKeeper& own) {
    own.Launch(callback, std::chrono::steady_clock::now());
  });
  runs_[run_id] = live;
  return live;
}

void RunRegistry::OnEnd(Run& run, bool refused) {
  std::error_code error;
  if (refused) fs::remove_all(run.place().directory, error);
  MutexLock lock(mutex_);
  const auto found = runs_.find(run.run_id());
  if (found == runs_.end() || found->second.get() != &run) return;
  // This is the run's own thread: another one has to join it.
  ending_.push_back(found->second);
  if (refused) {
    runs_.erase(found);
    std::erase_if(starts_, [&](const auto& start) { return start.second == run.run_id(); });
  } else {
    // What an ended run keeps is its last state; everything else is in its journal.
    auto hub = std::make_shared<EventHub>(run.run_id());
    hub->SetRun(run.Now());
    hub->Close();
    found->second = std::make_shared<Run>(run.run_id(), run.place(), std::move(hub));
  }
  changed_.NotifyAll();
}

absl::StatusOr<std::shared_ptr<Run>> RunRegistry::Find(const std::string& run_id) const {
  MutexLock lock(mutex_);
  const auto found = runs_.find(run_id);
  if (found != runs_.end() && found->second != nullptr) return found->second;
  const std::string shown = Shortened(run_id, 100);
  return MakeError(v1::ERROR_REASON_RUN_NOT_FOUND, "run_id",
                   absl::StrCat("There is no run \"", shown, "\"; `pilot runs` lists those there are."),
                   {{"run_id", shown}});
}

absl::Status RunRegistry::NotAlive(const Run& run) const {
  const v1::Run now = run.Now();
  if (IsTerminal(now.status())) return RunEnded(now);
  MutexLock lock(mutex_);
  if (stopping_) return Stopping();
  return MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "run_id",
                   absl::StrCat("The run ", run.run_id(), " cannot be asked: ", now.status_message()),
                   {{"run_id", run.run_id()}, {"status", StatusName(now.status())}});
}

void RunRegistry::Control(const std::string& run_id, v1::Control control, const ControlCallback& callback) {
  const absl::StatusOr<std::shared_ptr<Run>> run = Find(run_id);
  if (!run.ok()) return callback(run.status());
  if (control.request_id().empty()) {
    control.set_request_id(absl::StrCat("service-", absl::BytesToHexString(RandomBytes(kTokenBytes))));
  }
  if ((*run)->AskControl(control, callback)) return;
  if (!IsTerminal((*run)->Now().status())) return callback(NotAlive(**run));
  const bool queued = pool_.Submit(
      [run = *run, control, callback] { callback(AnswerEndedControl(run->place(), run->Now(), control)); });
  if (!queued) callback(Busy());
}

void RunRegistry::AskSaved(const std::shared_ptr<Run>& run, std::shared_ptr<const v1::Query> query,
                           const QueryCallback& callback) {
  const bool queued = saved_pool_.Submit([this, run, query = std::move(query), callback] {
    const auto given_up = [this] { return given_up_.load(); };
    if (given_up()) return callback(Stopping());
    callback(AnswerEndedQuery(run->place(), run->Now(), options_.trainer_program, *query, given_up));
  });
  if (!queued) callback(Busy());
}

void RunRegistry::Query(const std::string& run_id, const std::shared_ptr<const v1::Query>& query,
                        const QueryCallback& callback) {
  const absl::StatusOr<std::shared_ptr<Run>> run = Find(run_id);
  if (!run.ok()) return callback(run.status());
  const bool needs_parameters = query->has_predict() || query->state().include_state_vector();
  const auto from_trainer = [this, run = *run, query, callback, needs_parameters](absl::StatusOr<v1::Answer> answer) {
    // A run that ended a moment ago, or while it was being asked, still answers: from what it saved.
    const bool ended = ReasonOf(answer.status()) == v1::ERROR_REASON_RUN_ENDED;
    if (needs_parameters && ended) return AskSaved(run, query, callback);
    callback(std::move(answer));
  };
  if ((*run)->AskQuery(query, from_trainer)) return;
  if (needs_parameters && IsTerminal((*run)->Now().status())) return AskSaved(*run, query, callback);
  callback(NotAlive(**run));
}

std::vector<std::shared_ptr<const v1::Run>> RunRegistry::List() const {
  std::vector<std::shared_ptr<const v1::Run>> list;
  {
    MutexLock lock(mutex_);
    for (const auto& [run_id, run] : runs_) {
      if (run != nullptr) list.push_back(run->hub()->Snapshot());
    }
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::make_tuple(TimeUtil::TimestampToNanoseconds(b->create_time()), a->run_id()) <
           std::make_tuple(TimeUtil::TimestampToNanoseconds(a->create_time()), b->run_id());
  });
  return list;
}

std::vector<std::shared_ptr<Run>> RunRegistry::LiveRuns() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Run>> live;
  for (const auto& [run_id, run] : runs_) {
    if (run != nullptr && run->alive()) live.push_back(run);
  }
  return live;
}

bool RunRegistry::AwaitNoneAlive(std::chrono::steady_clock::time_point deadline) {
  const auto none_alive = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::none_of(runs_.begin(), runs_.end(),
                        [](const auto& entry) { return entry.second && entry.second->alive(); });
  };
  MutexLock lock(mutex_);
  while (!none_alive()) {
    if (!changed_.WaitUntil(mutex_, deadline)) return none_alive();
  }
  return true;
}

void RunRegistry::StopAll(std::chrono::seconds patience) {
  v1::Control stop;
  stop.mutable_change()->mutable_stop();
  stop.set_request_id(absl::StrCat("service-", absl::BytesToHexString(RandomBytes(kTokenBytes))));
  stop.set_origin("pilothoused");
  stop.set_note("the service is shutting down");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  bool all_ended = false;
  while (!all_ended && std::chrono::steady_clock::now() < deadline) {
    // Again and again, with one request_id, because a run that is LOST or being started just now cannot be asked. What
    // became of it, the run's status tells.
    for (const std::shared_ptr<Run>& run : LiveRuns()) {
      run->AskControl(stop, [](const absl::StatusOr<ControlOutcome>&) {});
    }
    all_ended = AwaitNoneAlive(std::min(deadline, std::chrono::steady_clock::now() + kAskAgainAfter));
  }
  if (all_ended) return;
  for (const std::shared_ptr<Run>& run : LiveRuns()) run->Kill();
  AwaitNoneAlive(std::chrono::steady_clock::now() + kDeathPatience);
}

void RunRegistry::Shutdown(bool stop_runs, std::chrono::seconds patience) {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  given_up_ = true;
  if (stop_runs) StopAll(patience);
  std::map<std::string, std::shared_ptr<Run>> runs;
  std::vector<std::shared_ptr<Run>> ending;
  {
    MutexLock lock(mutex_);
    runs = runs_;
    ending.swap(ending_);
  }
  for (const auto& [run_id, run] : runs) {
    if (run != nullptr) run->Abandon();
  }
  for (const std::shared_ptr<Run>& run : ending) run->Abandon();
}

}  // namespace pilothouse::service
