#include "service/runs/run_registry.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "proto/support/text.h"
#include "service/runs/run_id.h"
#include "service/runs/run_summary.h"
#include "service/runs/same_message.h"
#include "service/runs/saved_run.h"
#include "service/runs/service_refusals.h"

namespace pilothouse::service {
namespace {

using google::protobuf::util::TimeUtil;

// Names are drawn until one is free; with 921,600 of them, that so many are taken in a row means something else is
// wrong.
constexpr int kMaxNameDraws = 100;
// When all runs are to stop: how often they are told, and how long killed trainers are given to be gone.
constexpr std::chrono::milliseconds kAskAgainAfter{250};
constexpr std::chrono::seconds kDeathPatience{5};

// For a control that the service itself makes, or whose sender gave it none.
std::string NewRequestId() { return absl::StrCat("service-", absl::BytesToHexString(RandomBytes(kTokenBytes))); }

// A run without a thread: `last` is all there will be of it.
std::shared_ptr<Run> MakeEnded(RunPlace place, const v1::Run& last) {
  auto hub = std::make_shared<EventHub>(last.run_id());
  hub->SetRun(last);
  hub->Close();
  return std::make_shared<Run>(last.run_id(), std::move(place), std::move(hub));
}

// Whether the run `now`, which lives there, is what `asked` asks for.
absl::StatusOr<bool> WasAskedFor(const RunToStart& asked, const RunPlace& place, const v1::Run& now) {
  const absl::StatusOr<std::optional<v1::ForkRequest>> fork = RunStore::LoadForkRequest(place);
  if (!fork.ok()) return fork.status();
  if (asked.fork.has_value() && fork->has_value()) return SameMessage(*asked.fork, **fork);
  v1::RunSpec spec = asked.spec;
  DropLargeValues(spec);
  return !asked.fork.has_value() && !fork->has_value() && SameMessage(spec, now.spec());
}

}  // namespace

RunRegistry::RunRegistry(RegistryOptions options, const DatasetStore& datasets, WorkPool& pool, WorkPool& saved_pool)
    : options_(std::move(options)),
      store_({.directory = options_.data_directory + "/runs",
              .trainer_program = options_.trainer_program,
              .trainer_address = options_.trainer_address,
              .orphan_timeout = options_.orphan_timeout,
              .journal_sync = options_.journal_sync},
             datasets),
      datasets_(datasets),
      pool_(pool),
      saved_pool_(saved_pool),
      plugin_kinds_([this] { return AskPluginKinds(); }, saved_pool) {}

absl::StatusOr<std::unique_ptr<RunRegistry>> RunRegistry::Open(RegistryOptions options, const DatasetStore& datasets,
                                                               WorkPool& pool, WorkPool& saved_pool) {
  std::unique_ptr<RunRegistry> registry(new RunRegistry(std::move(options), datasets, pool, saved_pool));
  if (absl::Status prepared = registry->store_.Prepare(); !prepared.ok()) return prepared;
  registry->Recover();
  return registry;
}

RunRegistry::~RunRegistry() { Shutdown(/*stop_runs=*/false, std::chrono::seconds(0)); }

void RunRegistry::Recover() {
  for (const std::string& run_id : store_.RunIds()) {
    absl::StatusOr<StoredRun> stored = store_.Load(run_id);
    if (!stored.ok()) Log(absl::StrCat("run ", run_id, ": ", stored.status().message()));
    const std::string start_request_id = stored.ok() ? stored->start_request_id : "";
    std::shared_ptr<Run> run = stored.ok()
                                   ? Reopen(*std::move(stored))
                                   : MakeEnded(store_.PlaceOf(run_id), store_.Unreadable(run_id, stored.status()));
    MutexLock lock(mutex_);
    if (!start_request_id.empty()) starts_[start_request_id] = run_id;
    runs_[run_id] = std::move(run);
  }
}

std::shared_ptr<Run> RunRegistry::Reopen(StoredRun stored) {
  if (IsTerminal(stored.run.status())) return MakeEnded(std::move(stored.place), stored.run);
  return MakeLive(std::move(stored), nullptr);
}

std::shared_ptr<Run> RunRegistry::MakeLive(StoredRun stored, const StartCallback& started) {
  const std::string run_id = stored.run.run_id();
  auto hub = std::make_shared<EventHub>(run_id);
  auto keeper = std::make_unique<RunKeeper>(KeptRun{.place = stored.place,
                                                    .spec = std::move(stored.spec),
                                                    .journal = std::move(stored.journal),
                                                    .run = std::move(stored.run),
                                                    .beginning = std::move(stored.beginning),
                                                    .max_restarts = options_.max_restarts},
                                            hub);
  std::function<void(RunKeeper&)> begin;
  if (started != nullptr) {
    begin = [started](RunKeeper& own) { own.Launch(started, std::chrono::steady_clock::now()); };
  } else {
    // Before anybody can see the run: it is LOST, not what it was when the former service ended.
    keeper->AwaitReturn(std::chrono::steady_clock::now());
  }
  return std::make_shared<Run>(run_id, std::move(stored.place), std::move(hub), std::move(keeper), std::move(begin),
                               [this](Run& ended, bool refused) { OnEnd(ended, refused); });
}

absl::StatusOr<RunRegistry::Reservation> RunRegistry::Reserve(const RunToStart& run) {
  MutexLock lock(mutex_);
  if (stopping_) return Stopping();
  if (const auto known = starts_.find(run.request_id); known != starts_.end()) {
    return Reservation{.run_id = known->second, .repeated = true};
  }
  const auto lives = [](const auto& entry) { return entry.second == nullptr || entry.second->alive(); };
  if (static_cast<size_t>(std::count_if(runs_.begin(), runs_.end(), lives)) >= options_.max_live_runs) {
    return MakeError(
        v1::ERROR_REASON_TOO_MANY_RUNS, "",
        absl::StrCat("This service keeps at most ", options_.max_live_runs, " runs alive; stop one first."),
        {{"limit", absl::StrCat(options_.max_live_runs)}});
  }
  std::string run_id = run.run_id;
  if (!run_id.empty() && runs_.contains(run_id)) return RunAlreadyExists(run_id, run.run_id_field);
  for (int draw = 0; run_id.empty() && draw < kMaxNameDraws; ++draw) {
    const std::string drawn = MakeRunId(RandomNumber());
    if (!runs_.contains(drawn)) run_id = drawn;
  }
  if (run_id.empty())
    return MakeError(v1::ERROR_REASON_INTERNAL, run.run_id_field, "No free name was found; give one.");
  runs_[run_id] = nullptr;
  if (!run.request_id.empty()) starts_[run.request_id] = run_id;
  return Reservation{.run_id = run_id, .repeated = false};
}

void RunRegistry::Release(const std::string& run_id, const std::string& request_id) {
  MutexLock lock(mutex_);
  runs_.erase(run_id);
  if (const auto start = starts_.find(request_id); start != starts_.end() && start->second == run_id)
    starts_.erase(start);
}

bool RunRegistry::AnswerIfRepeated(const RunToStart& run, const StartCallback& callback) {
  std::string run_id;
  {
    MutexLock lock(mutex_);
    const auto known = starts_.find(run.request_id);
    if (known == starts_.end()) return false;
    run_id = known->second;
  }
  AnswerRepeatedStart(run, run_id, callback);
  return true;
}

void RunRegistry::AnswerRepeatedStart(const RunToStart& asked, const std::string& run_id,
                                      const StartCallback& callback) {
  const absl::StatusOr<std::shared_ptr<Run>> run = Find(run_id);
  // Not found: its name is taken, but it is not there yet.
  const v1::Run now = run.ok() ? (*run)->Now() : v1::Run();
  if (run.ok()) {
    const absl::StatusOr<bool> same = WasAskedFor(asked, (*run)->place(), now);
    if (!same.ok()) return callback(same.status());
    if (!*same) return callback(RequestIdReused(asked.request_id, "request_id"));
    if (now.status() != v1::RUN_STATUS_STARTING) return callback(now);
  }
  callback(MakeError(v1::ERROR_REASON_TRAINER_UNAVAILABLE, "request_id",
                     absl::StrCat("The run ", run_id, " is being started; ask again shortly."),
                     {{"run_id", run_id}, {"status", "STARTING"}}));
}

void RunRegistry::JoinEnding() {
  std::vector<std::shared_ptr<Run>> ending;
  MutexLock lock(mutex_);
  ending.swap(ending_);
}

void RunRegistry::Start(const v1::StartRunRequest& request, const StartCallback& callback) {
  absl::StatusOr<DataPaths> data = datasets_.Find(request.spec().data());
  if (!data.ok()) return callback(WithFieldPrefix(data.status(), "spec.data"));
  RunToStart run;
  run.run_id = request.run_id();
  run.request_id = request.request_id();
  run.spec = request.spec();
  run.target = request.target();
  run.data = *std::move(data);
  Start(std::move(run), callback);
}

void RunRegistry::Start(RunToStart run, const StartCallback& callback) {
  JoinEnding();
  const absl::StatusOr<Reservation> reservation = Reserve(run);
  if (!reservation.ok()) return callback(reservation.status());
  if (reservation->repeated) return AnswerRepeatedStart(run, reservation->run_id, callback);
  run.run_id = reservation->run_id;
  if (absl::Status created = Create(run, callback); !created.ok()) {
    Release(run.run_id, run.request_id);
    return callback(created);
  }
}

absl::Status RunRegistry::Create(const RunToStart& run, const StartCallback& callback) {
  absl::StatusOr<StoredRun> stored = store_.Create(run);
  if (!stored.ok()) return stored.status();
  MutexLock lock(mutex_);
  if (stopping_) {
    RunStore::Remove(stored->place);
    return Stopping();
  }
  // The run is started on its own thread; its trainer finds it by its name, which waits for this lock.
  runs_[run.run_id] = MakeLive(*std::move(stored), callback);
  return absl::OkStatus();
}

void RunRegistry::OnEnd(Run& run, bool refused) {
  if (refused) RunStore::Remove(run.place());
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
    found->second = MakeEnded(run.place(), run.Now());
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
    control.set_request_id(NewRequestId());
  }
  if ((*run)->AskControl(control, callback)) return;
  if (!IsTerminal((*run)->Now().status())) return callback(NotAlive(**run));
  const bool queued = pool_.Submit(
      [run = *run, control, callback] { callback(AnswerEndedControl(run->place(), run->Now(), control)); });
  if (!queued) callback(Busy());
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
  stop.set_request_id(NewRequestId());
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
  for (const std::shared_ptr<Run>& run : LiveRuns()) run->End();
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
  // Its work has been given up.
  scores_pool_.Shutdown();
}

}  // namespace pilothouse::service
