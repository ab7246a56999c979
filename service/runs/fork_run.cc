#include "service/runs/fork_run.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/fork_plan.h"
#include "service/runs/run_store.h"

namespace pilothouse::service {
namespace {

// The same for the same request, so that asking again makes no second checkpoint.
v1::Control CheckpointFor(const v1::ForkRequest& request) {
  v1::Control control;
  const std::string id =
      request.request_id().empty() ? absl::BytesToHexString(RandomBytes(kTokenBytes)) : request.request_id();
  control.set_request_id(absl::StrCat("service-fork-", id));
  control.mutable_change()->mutable_checkpoint();
  control.set_origin("pilothoused");
  control.set_note("to be forked");
  return control;
}

// The trainer blames a field of the spec, which the request for a fork has under another name.
StartCallback BlamingRequest(const StartCallback& callback) {
  return [callback](absl::StatusOr<v1::Run> run) {
    v1::Error error = ToError(run.status());
    if (run.ok() || error.field() != "spec.eta_schedule") return callback(std::move(run));
    error.set_field("eta_schedule");
    callback(FromError(error));
  };
}

// `batch` unset: the last one of the line.
void ForkAt(RunRegistry& runs, const DatasetStore& datasets, const v1::ForkRequest& request, const RunPlace& place,
            std::optional<int64_t> batch, const StartCallback& callback) {
  const absl::StatusOr<ForkParent> parent = ReadForkParent(place);
  if (!parent.ok()) return callback(parent.status());
  const absl::StatusOr<LineRange> line = RangeOf(*parent, request.branch());
  if (!line.ok()) return callback(line.status());
  absl::StatusOr<RunToStart> run = PlanFork(request, *parent, batch.value_or(line->last));
  if (!run.ok()) return callback(run.status());
  absl::StatusOr<DataPaths> data = datasets.Find(run->spec.data());
  if (!data.ok()) return callback(data.status());
  run->data = *std::move(data);
  runs.Start(*std::move(run), callback);
}

// The parent lives, and its present line may by now be longer than its journal tells.
bool IsAhead(const v1::ForkRequest& request, const Run& parent, const LineRange& line) {
  return request.branch().empty() && parent.alive() && (!request.has_batch() || request.batch() > line.last);
}

}  // namespace

void ForkRun(RunRegistry& runs, const DatasetStore& datasets, WorkPool& pool, const v1::ForkRequest& request,
             const StartCallback& on_start) {
  const StartCallback callback = BlamingRequest(on_start);
  RunToStart asked;
  asked.request_id = request.request_id();
  asked.fork = request;
  if (runs.AnswerIfRepeated(asked, callback)) return;
  const absl::StatusOr<std::shared_ptr<Run>> run = runs.Find(request.run_id());
  if (!run.ok()) return callback(run.status());
  const RunPlace& place = (*run)->place();
  const absl::StatusOr<ForkParent> parent = ReadForkParent(place);
  if (!parent.ok()) return callback(parent.status());
  const absl::StatusOr<LineRange> line = RangeOf(*parent, request.branch());
  if (!line.ok()) return callback(line.status());
  std::optional<int64_t> batch;
  if (request.has_batch()) batch = request.batch();
  if (!IsAhead(request, **run, *line)) return ForkAt(runs, datasets, request, place, batch, callback);
  runs.Control(request.run_id(), CheckpointFor(request),
               [&runs, &datasets, &pool, request, place, batch,
                callback](const absl::StatusOr<ControlOutcome>& outcome) mutable {
                 const bool ended = ReasonOf(outcome.status()) == v1::ERROR_REASON_RUN_ENDED;
                 if (!outcome.ok() && !ended) return callback(outcome.status());
                 if (outcome.ok() && !batch.has_value()) batch = outcome->checkpoint.batch();
                 const bool queued = pool.Submit([&runs, &datasets, request, place, batch, callback] {
                   ForkAt(runs, datasets, request, place, batch, callback);
                 });
                 if (!queued) {
                   callback(MakeError(v1::ERROR_REASON_SERVICE_BUSY, "",
                                      "The service has too much to do just now; try again shortly."));
                 }
               });
}

}  // namespace pilothouse::service
