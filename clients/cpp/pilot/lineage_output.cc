#include "clients/cpp/pilot/lineage_output.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// More than these are counted, not shown.
constexpr int kMaxShownBranches = 4;

using Rows = std::vector<std::vector<std::string>>;

std::string NextText(const Rows& rows) {
  return absl::StrCat("\nNext:\n", std::string(absl::StripSuffix(FormatTable(rows, {false, false}, "  "), "\n")));
}

std::string BranchText(const v1::Branch& branch) {
  return absl::StrCat(Printable(branch.name()), " (", BatchRange(branch.from_batch(), branch.through_batch()), ")");
}

// "digits, batch 4,000 of branch rewind-1".
std::string OriginText(const v1::Lineage& parent) {
  return absl::StrCat(Printable(parent.run_id()), ", batch ", FormatCount(parent.batch()),
                      parent.branch().empty() ? "" : " of branch ", Printable(parent.branch()));
}

}  // namespace

std::string CheckpointEventText(const v1::CheckpointReport& report) {
  if (!report.error().empty()) {
    return absl::StrCat("CHECKPOINT of batch ", report.batch(),
                        " FAILED: ", absl::StripSuffix(PrintableLines(report.error(), " | "), "."),
                        ". Training goes on.");
  }
  return absl::StrCat("checkpoint of batch ", report.batch(), " written: ", FormatBytes(report.bytes()),
                      report.pinned() ? ", pinned" : "");
}

std::string LineageControlText(const v1::ControlReport& control) {
  const v1::Change& change = control.change();
  if (change.has_checkpoint()) return change.checkpoint().pin() ? "checkpoint, pinned" : "checkpoint";
  const std::string branch = Printable(control.branch());
  return absl::StrCat("rewind to ", FormatCount(static_cast<int64_t>(control.value())),
                      branch.empty() ? "" : ", what came after is ", branch);
}

std::string SavedLine(const v1::SaveCheckpointResponse& response) {
  const v1::Checkpoint& checkpoint = response.checkpoint();
  return absl::StrCat("checkpoint of batch ", checkpoint.batch(), ": ", FormatBytes(checkpoint.bytes()), " in ",
                      Printable(checkpoint.file()), checkpoint.pinned() ? ", pinned" : "", " (receipt ",
                      response.receipt().control_id(), ")");
}

std::string RewoundText(const std::string& run_id, const v1::Receipt& receipt) {
  const std::string id = Printable(run_id);
  const std::string branch = Printable(receipt.branch());
  std::string text = absl::StrCat(id, " is at batch ", static_cast<int64_t>(receipt.value()), " now, paused (receipt ",
                                  receipt.control_id(), ")\n");
  Rows next = {{absl::StrCat("pilot resume ", id), "train on from here"},
               {absl::StrCat("pilot batch-to ", id, " +500"), "train so many batches from here"}};
  if (!branch.empty()) {
    absl::StrAppend(&text, "what came after is kept as the branch ", branch, "\n");
    next.push_back({absl::StrCat("pilot history ", id, " --branch ", branch), "see what came after"});
    next.push_back({absl::StrCat("pilot fork ", id, " --branch ", branch), "go on from the end of it, as a new run"});
  }
  return text + NextText(next);
}

std::string ForkedText(const v1::Run& run, bool watched) {
  const std::string id = Printable(run.run_id());
  const std::string text = absl::StrCat("run ", id, " forked from ", OriginText(run.parent()),
                                        run.target() > run.parent().batch()
                                            ? absl::StrCat("; it trains up to batch ", FormatCount(run.target()))
                                            : "; it waits there",
                                        "\n");
  if (watched) return text;
  Rows next = {{absl::StrCat("pilot watch ", id), "see how it goes"},
               {"pilot runs --tree", "see what comes from what"}};
  if (run.target() <= run.parent().batch()) {
    next.insert(next.begin(), {absl::StrCat("pilot batch-to ", id, " +500"), "train so many batches"});
  }
  return text + NextText(next);
}

std::string ConditionWord(v1::CheckpointCondition condition) {
  if (condition == v1::CHECKPOINT_CONDITION_GONE) return "gone";
  return condition == v1::CHECKPOINT_CONDITION_DAMAGED ? "damaged" : "";
}

int IndexOfBest(const v1::ListCheckpointsResponse& list) {
  // Of several of one batch, one whose file is whole; of such, the first that was written.
  const auto rank = [&list](int i) {
    const v1::Checkpoint& checkpoint = list.checkpoints(i);
    const bool damaged = checkpoint.condition() == v1::CHECKPOINT_CONDITION_DAMAGED;
    return std::make_tuple(checkpoint.validation_loss(), checkpoint.batch(), damaged, -i);
  };
  int best = -1;
  for (int i = 0; i < list.checkpoints_size(); ++i) {
    const v1::Checkpoint& checkpoint = list.checkpoints(i);
    const bool counts = checkpoint.has_validation_loss() && !std::isnan(checkpoint.validation_loss()) &&
                        checkpoint.branch().empty() && checkpoint.condition() != v1::CHECKPOINT_CONDITION_GONE;
    if (counts && (best < 0 || rank(i) < rank(best))) best = i;
  }
  return best;
}

std::string CheckpointTable(const v1::ListCheckpointsResponse& list) {
  const int best = IndexOfBest(list);
  Rows rows = {{"batch", "size", "written", "validation loss", "kept", "branch", "file"}};
  for (int i = 0; i < list.checkpoints_size(); ++i) {
    const v1::Checkpoint& checkpoint = list.checkpoints(i);
    const std::string pinned = checkpoint.pinned() ? "pinned" : "";
    const std::string wrong = ConditionWord(checkpoint.condition());
    rows.push_back({FormatCount(checkpoint.batch()), wrong.empty() ? FormatBytes(checkpoint.bytes()) : wrong,
                    FormatDateTime(checkpoint.time()),
                    checkpoint.has_validation_loss() ? FormatLoss(checkpoint.validation_loss()) : "",
                    i == best ? absl::StrCat(pinned, pinned.empty() ? "" : ", ", "best") : pinned,
                    Printable(checkpoint.branch()), Printable(checkpoint.file())});
  }
  return FormatTable(rows, {true, true, false, true, false, false, false}, "");
}

std::string BatchRange(int64_t from, int64_t through) {
  return absl::StrCat(FormatCount(from), "–", FormatCount(through));
}

Rows LineageRows(const v1::Run& run, absl::Time now) {
  Rows rows;
  if (run.has_parent()) rows.push_back({"forked from", OriginText(run.parent())});
  if (run.branches_size() > 0) {
    // The newest, which are the last.
    std::vector<std::string> names;
    const int first = std::max(0, run.branches_size() - kMaxShownBranches);
    for (int i = first; i < run.branches_size(); ++i) names.push_back(BranchText(run.branches(i)));
    if (first > 0) names.push_back(absl::StrCat(FormatCount(first), " older"));
    rows.push_back({"branches", absl::StrJoin(names, ", ")});
  }
  if (run.has_checkpoint_batch()) {
    const std::string ago =
        run.has_checkpoint_time() ? absl::StrCat(", ", FormatSpan(now - ToTime(run.checkpoint_time())), " ago") : "";
    rows.push_back({"checkpoint", absl::StrCat("batch ", FormatCount(run.checkpoint_batch()), ago)});
  }
  if (run.restarts() > 0) {
    rows.push_back({"restarts", absl::StrCat(FormatCount(run.restarts()), " since it last got further")});
  }
  return rows;
}

}  // namespace pilothouse::client
