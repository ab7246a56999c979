#include "clients/cpp/pilot/lineage_json.h"

#include <utility>

#include "clients/cpp/pilot/lineage_output.h"
#include "clients/cpp/pilot/run_json.h"

namespace pilothouse::client {
namespace {

// One that was made just now is there.
std::string ConditionOf(const v1::Checkpoint& checkpoint) {
  const std::string wrong = ConditionWord(checkpoint.condition());
  return wrong.empty() ? "present" : wrong;
}

Json OfCheckpoint(const v1::Checkpoint& checkpoint) {
  return {{"batch", checkpoint.batch()},
          {"file", checkpoint.file()},
          {"sha256", checkpoint.sha256()},
          {"bytes", checkpoint.bytes()},
          {"state_sha256", checkpoint.state_sha256()},
          {"pinned", checkpoint.pinned()},
          {"validation_loss", checkpoint.has_validation_loss() ? JsonNumber(checkpoint.validation_loss()) : Json()},
          {"branch", checkpoint.branch()},
          {"time", JsonTime(checkpoint.time())},
          {"sequence", checkpoint.sequence()},
          {"condition", ConditionOf(checkpoint)}};
}

}  // namespace

std::string SavedJson(const std::string& run_id, const v1::SaveCheckpointResponse& response) {
  Json json = ReceiptAsJson(run_id, response.receipt());
  json["checkpoint"] = OfCheckpoint(response.checkpoint());
  return Dump(json);
}

std::string CheckpointsJson(const std::string& run_id, const v1::ListCheckpointsResponse& list) {
  const int best = IndexOfBest(list);
  Json checkpoints = Json::array();
  for (int i = 0; i < list.checkpoints_size(); ++i) {
    checkpoints.push_back(OfCheckpoint(list.checkpoints(i)));
    checkpoints.back()["best"] = i == best;
  }
  return Dump({{"run_id", run_id}, {"checkpoints", std::move(checkpoints)}});
}

void AddCheckpointReport(const v1::CheckpointReport& report, Json& json) {
  json["checkpoint_batch"] = report.batch();
  json["file"] = report.file();
  json["sha256"] = report.sha256();
  json["bytes"] = report.bytes();
  json["state_sha256"] = report.state_sha256();
  json["controls"] = report.controls();
  json["line"] = report.line();
  json["pinned"] = report.pinned();
  json["request_id"] = report.request_id();
  json["error"] = report.error();
  json["held_up_seconds"] = JsonSpan(report.held_up());
  json["writing_seconds"] = JsonSpan(report.writing());
  json["validation_loss"] = report.has_validation_loss() ? JsonNumber(report.validation_loss()) : Json();
}

void AddLineage(const v1::Run& run, Json& json) {
  const v1::Lineage& parent = run.parent();
  json["parent"] = run.has_parent()
                       ? Json({{"run_id", parent.run_id()}, {"batch", parent.batch()}, {"branch", parent.branch()}})
                       : Json();
  json["branches"] = Json::array();
  for (const v1::Branch& branch : run.branches()) {
    json["branches"].push_back({{"name", branch.name()},
                                {"from_batch", branch.from_batch()},
                                {"through_batch", branch.through_batch()},
                                {"time", JsonTime(branch.time())}});
  }
  json["checkpoint_batch"] = run.has_checkpoint_batch() ? Json(run.checkpoint_batch()) : Json();
  json["checkpoint_time"] = run.has_checkpoint_time() ? JsonTime(run.checkpoint_time()) : Json();
  json["restarts"] = run.restarts();
}

}  // namespace pilothouse::client
