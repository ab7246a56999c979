#include "service/runs/pending_controls.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/same_message.h"

namespace pilothouse::service {
namespace {

absl::Status TooMany(absl::string_view what, size_t limit) {
  return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                   absl::StrCat("This run has ", limit, " ", what, " under way, and takes no more; try again shortly."),
                   {{"limit", absl::StrCat(limit)}});
}

}  // namespace

absl::Status RequestIdReused(const std::string& request_id, absl::string_view field) {
  return MakeError(v1::ERROR_REASON_REQUEST_ID_REUSED, field,
                   absl::StrCat("The request_id \"", request_id,
                                "\" was used before, for a different change. Use a new one for a new change."),
                   {{"request_id", request_id}});
}

bool SameChange(const v1::Change& known, const v1::Change& asked) {
  if (!known.has_rewind() || !asked.has_rewind() || !asked.rewind().branch().empty()) return SameMessage(known, asked);
  v1::Change named = asked;
  named.mutable_rewind()->set_branch(known.rewind().branch());
  return SameMessage(known, named);
}

absl::StatusOr<PendingControls::Added> PendingControls::Add(const v1::Control& control, ControlCallback callback) {
  const auto found = controls_.find(control.request_id());
  if (found == controls_.end()) {
    const bool scheduled = control.has_at_batch();
    const size_t limit = scheduled ? kMaxScheduledControls : kMaxPendingControls;
    const size_t count = scheduled ? scheduled_ : controls_.size() - scheduled_;
    if (count >= limit && !control.change().has_stop()) {
      return TooMany(scheduled ? "controls with an at_batch" : "controls", limit);
    }
    scheduled_ += scheduled ? 1 : 0;
    controls_[control.request_id()] = {control.change(), scheduled, {std::move(callback)}};
    return Added::kNew;
  }
  Waiting& waiting = found->second;
  if (!SameChange(waiting.change, control.change())) return RequestIdReused(control.request_id());
  waiting.callbacks.push_back(std::move(callback));
  // The oldest has most likely given up: one client that asks again after each of its deadlines fills the list.
  if (waiting.callbacks.size() > kMaxWaitersPerControl) {
    const ControlCallback oldest = std::move(waiting.callbacks.front());
    waiting.callbacks.erase(waiting.callbacks.begin());
    oldest(TooMany("askers of one control", kMaxWaitersPerControl));
  }
  return Added::kJoined;
}

bool PendingControls::NamesBranch(const std::string& branch) const {
  return std::any_of(controls_.begin(), controls_.end(),
                     [&](const auto& entry) { return entry.second.change.rewind().branch() == branch; });
}

void PendingControls::Resolve(const std::string& request_id, const absl::StatusOr<ControlOutcome>& outcome) {
  const auto found = controls_.find(request_id);
  if (found == controls_.end()) return;
  const std::vector<ControlCallback> callbacks = std::move(found->second.callbacks);
  scheduled_ -= found->second.scheduled ? 1 : 0;
  controls_.erase(found);
  for (const ControlCallback& callback : callbacks) callback(outcome);
}

absl::StatusOr<uint64_t> PendingControls::AddQuery(QueryCallback callback) {
  if (queries_.size() >= kMaxPendingQueries) return TooMany("questions", kMaxPendingQueries);
  queries_[++last_query_id_] = std::move(callback);
  return last_query_id_;
}

void PendingControls::ResolveQuery(uint64_t query_id, absl::StatusOr<v1::Answer> answer) {
  const auto found = queries_.find(query_id);
  if (found == queries_.end()) return;
  const QueryCallback callback = std::move(found->second);
  queries_.erase(found);
  callback(std::move(answer));
}

void PendingControls::FailQueries(const absl::Status& error) {
  const auto queries = std::exchange(queries_, {});
  for (const auto& [id, callback] : queries) callback(error);
}

void PendingControls::FailAll(const absl::Status& error) {
  const auto controls = std::exchange(controls_, {});
  scheduled_ = 0;
  for (const auto& [id, waiting] : controls) {
    for (const ControlCallback& callback : waiting.callbacks) callback(error);
  }
  FailQueries(error);
}

}  // namespace pilothouse::service
