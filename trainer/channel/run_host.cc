#include "trainer/channel/run_host.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/log.h"
#include "trainer/channel/messages.h"
#include "trainer/channel/run_past.h"

namespace pilothouse::trainer {
namespace {

absl::Status Congested() {
  return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                   "Too many changes wait for the service to record them; try again shortly.",
                   {{"limit", absl::StrCat(kMaxBufferedReports)}});
}

absl::Status TooManyQueries() {
  return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                   "The trainer is answering as many questions as it can; try again shortly.",
                   {{"limit", absl::StrCat(kMaxOpenQueries)}});
}

}  // namespace

RunHost::RunHost(RunBuilder builder) : builder_(std::move(builder)) {}

RunHost::~RunHost() {
  if (!training_thread_.joinable()) return;
  Suspend("The trainer ends.");
  training_thread_.join();
}

absl::Status RunHost::Build(const v1::Welcome& welcome) {
  absl::StatusOr<BuiltRun> built = builder_(welcome);
  if (!built.ok()) return built.status();
  run_ = *std::move(built);
  outbox_.set_state_bytes(run_->learner->facts().parameters * run_->bytes_per_parameter);
  outbox_.ContinueAfter(welcome.reports_taken());
  description_ = ToMessage(run_->learner->facts(), FirstKnobsOf(run_->loop, run_->learner->facts()));
  description_.mutable_facts()->set_data_sha256(run_->data_sha256);
  // Those of a run with a past are known, or told when it has come back.
  if (run_->loop.resume != nullptr) description_.clear_knobs();
  built_ = true;
  return absl::OkStatus();
}

void RunHost::Start() {
  if (started_.exchange(true)) return;
  loop_.emplace(run_->loop, *run_->learner, mailbox_, outbox_, clock_);
  training_thread_ = std::thread([this] { Train(); });
}

void RunHost::Train() {
  StatusReport last = loop_->Run();
  while (loop_->taken_back()) {
    if (absl::Status planned = PlanNextLoop(); !planned.ok()) {
      suspended_ = suspending();
      if (suspended_) return;
      Log(absl::StrCat("the run cannot be taken back here: ", planned.message()));
      broken_ = true;
      return;
    }
    loop_.emplace(run_->loop, *run_->learner, mailbox_, outbox_, clock_);
    last = loop_->Run();
  }
  if (loop_->suspended()) {
    Log("suspended: another trainer can go on with the run");
    suspended_ = true;
    return;
  }
  Log(absl::StrCat(last.status == RunStatus::kFailed ? "failed" : "stopped", last.message.empty() ? "" : ": ",
                   last.message));
}

absl::Status RunHost::PlanNextLoop() {
  if (!outbox_.AwaitAllTaken()) return absl::CancelledError("The trainer ends.");
  // The learner is the run's own now, wherever it began.
  run_->loop.fork = nullptr;
  run_->loop.past_directory.clear();
  return AddPast(/*seen_batch=*/0, run_->loop);
}

void RunHost::Suspend(absl::string_view why) {
  Log(absl::StrCat("suspending: ", why));
  mailbox_.Suspend();
  // A run that is being taken back waits for the service to record that; what is saved is enough.
  outbox_.GiveUp();
}

void RunHost::KeepReports(bool ending) {
  if (built() && !directory_removed()) unrecorded_.Keep(run_->loop.directory, ending);
}

void RunHost::NoteExit(int code) const {
  if (built()) run_->lock.NoteExit(code);
}

void RunHost::ForgetKeptReports() {
  if (built()) unrecorded_.Forget(run_->loop.directory);
}

void RunHost::OnControl(const v1::Control& message) {
  absl::StatusOr<Control> control = FromMessage(message);
  absl::Status status = control.status();
  if (status.ok() && outbox_.Congested()) status = Congested();
  if (status.ok()) status = mailbox_.Put(*std::move(control));
  if (!status.ok()) outbox_.OnRefusal({message.request_id(), std::move(status)});
}

void RunHost::OnQuery(v1::Query message) {
  QueryTicket ticket = budget_.Reserve(CostOf(message));
  const auto open =
      std::make_shared<const OpenQuery>(OpenQuery{outbox_.stream(), std::move(message), std::move(ticket)});
  if (open->ticket == nullptr) return RefuseQuery(open, TooManyQueries());
  switch (open->query.kind_case()) {
    case v1::Query::kState:
      return AskForState(open);
    case v1::Query::kPredict:
      return predictions_.Post([this, open] { AskForModel(open); });
    case v1::Query::kEvaluate:
      return AskForScores(open);
    case v1::Query::kPluginKinds:
    case v1::Query::KIND_NOT_SET:
      break;
  }
  RefuseQuery(open, MakeError(v1::ERROR_REASON_SPEC_INVALID, "query", "The trainer knows no such question."));
}

int64_t RunHost::CostOf(const v1::Query& query) const {
  const auto asked = static_cast<int64_t>(query.ByteSizeLong());
  const LearnerFacts& facts = run_->learner->facts();
  const int64_t state = facts.parameters * run_->bytes_per_parameter;
  // With a copy of the parameters in either case.
  if (query.state().include_state_vector()) return asked + 2 * state;
  if (!query.has_predict()) return asked;
  const int64_t most_rows = asked / (facts.inputs * static_cast<int64_t>(sizeof(float))) + 1;
  const int64_t answer = std::min<int64_t>(kMaxMessageBytes, most_rows * facts.outputs * run_->bytes_per_parameter);
  return asked + state + answer;
}

void RunHost::AskForState(const OpenQueryPtr& open) {
  Query query;
  query.include_plugins = open->query.state().include_plugins();
  if (!open->query.state().include_state_vector()) {
    // A few numbers: not worth another thread.
    query.answer = [this, open](const RunSnapshot& snapshot) { AnswerState(open, snapshot); };
    return AskLoop(open, std::move(query));
  }
  absl::Status status = CheckStateSize(run_->learner->facts().parameters);
  if (!status.ok()) return RefuseQuery(open, status);
  query.include_model = true;
  query.report_state = !outbox_.Congested();
  // Copying parameters is the training thread's work, packing them is not.
  query.answer = [this, open](RunSnapshot snapshot) {
    states_.Post([this, open, snapshot = std::move(snapshot)] { AnswerState(open, snapshot); });
  };
  AskLoop(open, std::move(query));
}

void RunHost::AnswerState(const OpenQueryPtr& open, const RunSnapshot& snapshot) {
  if (!outbox_.Lives(open->stream)) return;
  v1::Answer answer;
  answer.set_query_id(open->query.query_id());
  *answer.mutable_state() = ToMessage(snapshot);
  outbox_.AddAnswer(open->stream, std::move(answer), open->ticket);
}

void RunHost::AskForScores(const OpenQueryPtr& open) {
  Query query;
  query.score = FromMessage(open->query.evaluate().part());
  query.awaited = [this, open] { return outbox_.Lives(open->stream); };
  query.answer = [this, open](const RunSnapshot& snapshot) {
    if (!snapshot.scores->ok()) return RefuseQuery(open, snapshot.scores->status());
    v1::Answer answer;
    answer.set_query_id(open->query.query_id());
    *answer.mutable_evaluate() = ToMessage(**snapshot.scores);
    outbox_.AddAnswer(open->stream, std::move(answer), open->ticket);
  };
  AskLoop(open, std::move(query));
}

void RunHost::AskForModel(const OpenQueryPtr& open) {
  if (!outbox_.Lives(open->stream)) return;
  const LearnerFacts& facts = run_->learner->facts();
  absl::Status status = CheckPredict(open->query.predict(), facts.inputs, facts.outputs);
  if (!status.ok()) return RefuseQuery(open, status);
  Query query;
  query.include_model = true;
  query.answer = [this, open](RunSnapshot snapshot) {
    predictions_.Post([this, open, snapshot = std::move(snapshot)] { BeginPrediction(open, snapshot); });
  };
  AskLoop(open, std::move(query));
}

void RunHost::BeginPrediction(const OpenQueryPtr& open, const RunSnapshot& snapshot) {
  ContinuePrediction(open, std::make_shared<SlicedPrediction>(open->query.predict(), snapshot.model, snapshot.batch,
                                                              run_->learner->facts().parameters));
}

void RunHost::ContinuePrediction(const OpenQueryPtr& open, const std::shared_ptr<SlicedPrediction>& prediction) {
  if (!outbox_.Lives(open->stream)) return;
  prediction->Advance();
  if (!prediction->done()) return predictions_.Post([this, open, prediction] { ContinuePrediction(open, prediction); });
  v1::Answer answer;
  answer.set_query_id(open->query.query_id());
  *answer.mutable_predict() = prediction->Take();
  outbox_.AddAnswer(open->stream, std::move(answer), open->ticket);
}

void RunHost::AskLoop(const OpenQueryPtr& open, Query query) {
  if (absl::Status status = mailbox_.Put(std::move(query)); !status.ok()) RefuseQuery(open, status);
}

void RunHost::RefuseQuery(const OpenQueryPtr& open, const absl::Status& error) {
  v1::Answer answer;
  answer.set_query_id(open->query.query_id());
  *answer.mutable_error() = ToError(error);
  outbox_.AddAnswer(open->stream, std::move(answer), open->ticket);
}

}  // namespace pilothouse::trainer
