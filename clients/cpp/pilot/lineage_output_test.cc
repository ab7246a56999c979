// Checkpoints, rewinds, forks and trees in words and in JSON.
#include "clients/cpp/pilot/lineage_output.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/lineage_json.h"
#include "clients/cpp/pilot/run_tree.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

v1::Run NewRun(const std::string& run_id) {
  v1::Run run;
  run.set_run_id(run_id);
  run.set_status(v1::RUN_STATUS_IDLE);
  run.set_idle_reason(v1::IDLE_REASON_PAUSED);
  run.set_batch(4000);
  run.set_target(4000);
  run.set_loss(0.5);
  run.set_eta(0.1);
  return run;
}

v1::Run ForkOf(const std::string& parent, int64_t batch, const std::string& run_id, const std::string& branch = "") {
  v1::Run run = NewRun(run_id);
  run.mutable_parent()->set_run_id(parent);
  run.mutable_parent()->set_batch(batch);
  run.mutable_parent()->set_branch(branch);
  return run;
}

void AddBranch(const std::string& name, v1::Run& run) {
  v1::Branch& branch = *run.add_branches();
  branch.set_name(name);
  branch.set_from_batch(4000);
  branch.set_through_batch(5200);
}

TEST(CheckpointEvents, AreLines) {
  v1::Event event;
  event.set_batch(1203);
  v1::CheckpointReport& report = *event.mutable_checkpoint();
  report.set_batch(1200);
  report.set_bytes(1234567);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  batch 1203  checkpoint of batch 1200 written: 1.2 MB"));
  report.set_pinned(true);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "1.2 MB, pinned"));
  report.set_error("The disk is full.\x1b");
  EXPECT_TRUE(
      absl::EndsWith(EventLine(event), "CHECKPOINT of batch 1200 FAILED: The disk is full.?. Training goes on."))
      << EventLine(event);
}

TEST(CheckpointEvents, HaveTheDocumentedJson) {
  WatchItem item;
  v1::Event& event = *item.message.add_events();
  event.set_sequence(7);
  event.set_batch(1203);
  v1::CheckpointReport& report = *event.mutable_checkpoint();
  report.set_batch(1200);
  report.set_file("checkpoints/x");
  report.set_bytes(99);
  report.mutable_held_up()->set_nanos(1500000);
  const Json json = Json::parse(WatchLines(item));
  EXPECT_EQ(json["type"], "checkpoint");
  EXPECT_EQ(json["batch"], 1203);
  EXPECT_EQ(json["checkpoint_batch"], 1200);
  EXPECT_EQ(json["bytes"], 99);
  EXPECT_EQ(json["error"], "");
  EXPECT_EQ(json["held_up_seconds"], 0.0015);
  EXPECT_TRUE(json["validation_loss"].is_null());
}

TEST(Rewinds, SayWhereTheRunIsAndWhatIsKept) {
  WatchItem item;
  v1::Event& event = *item.message.add_events();
  event.set_batch(5200);
  v1::ControlReport& control = *event.mutable_control();
  control.mutable_change()->mutable_rewind()->set_batch(4000);
  control.set_value(4000);
  control.set_branch("rewind-1");
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  batch 5200  rewind to 4,000, what came after is rewind-1"));
  const Json json = Json::parse(WatchLines(item));
  EXPECT_EQ(json["control"], "rewind");
  EXPECT_EQ(json["branch"], "rewind-1");
  EXPECT_EQ(json["value"], 4000);
  v1::Receipt receipt;
  receipt.set_control_id(57);
  receipt.set_applied_batch(5200);
  receipt.set_value(4000);
  receipt.set_branch("rewind-1");
  const std::string text = RewoundText("digits", receipt);
  EXPECT_TRUE(absl::StartsWith(text, "digits is at batch 4000 now, paused (receipt 57)\n")) << text;
  EXPECT_TRUE(absl::StrContains(text, "pilot resume digits ")) << text;
  EXPECT_TRUE(absl::StrContains(text, "pilot fork digits --branch rewind-1 ")) << text;
  EXPECT_EQ(Json::parse(ReceiptJson("digits", receipt))["branch"], "rewind-1");
}

TEST(Controls, OfCheckpointsSayWhetherTheyArePinned) {
  v1::ControlReport control;
  control.mutable_change()->mutable_checkpoint();
  EXPECT_EQ(ControlText(control), "checkpoint");
  control.mutable_change()->mutable_checkpoint()->set_pin(true);
  EXPECT_EQ(ControlText(control), "checkpoint, pinned");
}

TEST(Checkpoints, AreATableWithTheBest) {
  v1::ListCheckpointsResponse list;
  for (const auto& [batch, loss] : std::vector<std::pair<int64_t, double>>{{3000, 0.25}, {2000, 0.25}, {1000, 0.75}}) {
    v1::Checkpoint& checkpoint = *list.add_checkpoints();
    checkpoint.set_batch(batch);
    checkpoint.set_bytes(2000);
    checkpoint.set_file("checkpoints/b");
    checkpoint.set_validation_loss(loss);
  }
  list.mutable_checkpoints(1)->set_pinned(true);
  list.mutable_checkpoints(2)->set_branch("rewind-1");
  v1::Checkpoint& without = *list.add_checkpoints();
  without.set_batch(500);
  EXPECT_EQ(IndexOfBest(list), 1);
  const std::string table = CheckpointTable(list);
  EXPECT_TRUE(absl::StrContains(table, "2,000  2.0 kB")) << table;
  EXPECT_TRUE(absl::StrContains(table, "pinned, best")) << table;
  EXPECT_TRUE(absl::StrContains(table, "rewind-1  checkpoints/b")) << table;
  const Json json = Json::parse(CheckpointsJson("digits", list));
  EXPECT_EQ(json["run_id"], "digits");
  EXPECT_EQ(json["checkpoints"][0]["best"], false);
  EXPECT_EQ(json["checkpoints"][1]["best"], true);
  EXPECT_EQ(json["checkpoints"][1]["validation_loss"], 0.25);
  EXPECT_TRUE(json["checkpoints"][3]["validation_loss"].is_null());
  EXPECT_EQ(IndexOfBest(v1::ListCheckpointsResponse()), -1);
}

TEST(Checkpoints, SayWhatIsWrongWithTheirFiles) {
  v1::ListCheckpointsResponse list;
  for (const auto condition :
       {v1::CHECKPOINT_CONDITION_GONE, v1::CHECKPOINT_CONDITION_DAMAGED, v1::CHECKPOINT_CONDITION_PRESENT}) {
    v1::Checkpoint& checkpoint = *list.add_checkpoints();
    checkpoint.set_condition(condition);
    checkpoint.set_bytes(2000);
    checkpoint.set_validation_loss(0.5 + list.checkpoints_size());
  }
  list.mutable_checkpoints(0)->set_pinned(true);
  EXPECT_EQ(IndexOfBest(list), 1) << "as the service does, which says of a damaged one that it is";
  const std::string table = CheckpointTable(list);
  const std::vector<std::string> lines = absl::StrSplit(table, '\n');
  EXPECT_TRUE(absl::StrContains(lines[1], " gone ")) << table;
  EXPECT_TRUE(absl::StrContains(lines[2], " damaged ")) << table;
  EXPECT_TRUE(absl::StrContains(lines[3], " 2.0 kB ")) << table;
  const Json json = Json::parse(CheckpointsJson("digits", list));
  EXPECT_EQ(json["checkpoints"][0]["condition"], "gone");
  EXPECT_EQ(json["checkpoints"][1]["condition"], "damaged");
  EXPECT_EQ(json["checkpoints"][2]["condition"], "present");
}

TEST(IndexOfBest, IsAWholeOneOfThePresentLine) {
  v1::ListCheckpointsResponse list;
  const auto add = [&](int64_t batch, double loss, v1::CheckpointCondition condition, const std::string& branch) {
    v1::Checkpoint& checkpoint = *list.add_checkpoints();
    checkpoint.set_batch(batch);
    checkpoint.set_validation_loss(loss);
    checkpoint.set_condition(condition);
    checkpoint.set_branch(branch);
  };
  add(500, std::nan(""), v1::CHECKPOINT_CONDITION_PRESENT, "");
  EXPECT_EQ(IndexOfBest(list), -1);
  add(400, 0.5, v1::CHECKPOINT_CONDITION_PRESENT, "");
  EXPECT_EQ(IndexOfBest(list), 1);
  add(400, 0.5, v1::CHECKPOINT_CONDITION_PRESENT, "");
  EXPECT_EQ(IndexOfBest(list), 2) << "they come newest first";
  add(400, 0.5, v1::CHECKPOINT_CONDITION_DAMAGED, "");
  EXPECT_EQ(IndexOfBest(list), 2);
  add(300, 0.1, v1::CHECKPOINT_CONDITION_PRESENT, "rewind-1");
  EXPECT_EQ(IndexOfBest(list), 2);
  add(200, 0.5, v1::CHECKPOINT_CONDITION_PRESENT, "");
  EXPECT_EQ(IndexOfBest(list), 5) << "of equals, the first";
}

TEST(RunPage, TellsWhereARunComesFromAndItsNewestCheckpoint) {
  v1::Run run = ForkOf("digits", 4000, "digits-2", "rewind-1");
  for (int i = 1; i <= 6; ++i) AddBranch("rewind-" + std::to_string(i), run);
  run.set_checkpoint_batch(4500);
  run.mutable_checkpoint_time()->set_seconds(1000);
  run.set_restarts(2);
  const std::string page = RunPage(run, absl::FromUnixSeconds(1012));
  EXPECT_TRUE(absl::StrContains(page, "digits, batch 4,000 of branch rewind-1\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "rewind-6 (4,000–5,200), 2 older\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "batch 4,500, 12 s ago\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "2 since it last got further\n")) << page;
  const Json json = Json::parse(RunJson(run));
  EXPECT_EQ(json["parent"]["run_id"], "digits");
  EXPECT_EQ(json["parent"]["branch"], "rewind-1");
  EXPECT_EQ(json["branches"].size(), 6u);
  EXPECT_EQ(json["branches"][0]["through_batch"], 5200);
  EXPECT_EQ(json["checkpoint_batch"], 4500);
  EXPECT_EQ(json["restarts"], 2);
  EXPECT_TRUE(Json::parse(RunJson(NewRun("a")))["parent"].is_null());
  EXPECT_TRUE(Json::parse(RunJson(NewRun("a")))["checkpoint_batch"].is_null());
}

TEST(Forks, SayHowToGoOn) {
  v1::Run run = ForkOf("digits", 4000, "digits-2");
  const std::string waiting = ForkedText(run, false);
  EXPECT_TRUE(absl::StartsWith(waiting, "run digits-2 forked from digits, batch 4,000; it waits there\n")) << waiting;
  EXPECT_TRUE(absl::StrContains(waiting, "pilot batch-to digits-2 ")) << waiting;
  run.set_target(8000);
  const std::string training = ForkedText(run, false);
  EXPECT_TRUE(absl::StrContains(training, "; it trains up to batch 8,000\n")) << training;
  EXPECT_FALSE(absl::StrContains(training, "batch-to")) << training;
}

// From above to below, two spaces for each level.
std::string Outline(const std::vector<v1::Run>& runs) {
  std::string outline;
  for (const TreeLine& line : MakeTree(runs)) {
    outline += std::string(2 * line.depth, ' ') + line.run_id;
    if (line.kind == TreeLine::Kind::kBranch) outline += "/" + runs[line.run].branches(line.branch).name();
    if (line.kind == TreeLine::Kind::kGone) outline += " gone";
    outline += "\n";
  }
  return outline;
}

TEST(Tree, HasForksBelowTheirParentsAndBranches) {
  v1::Run digits = NewRun("digits");
  AddBranch("rewind-1", digits);
  AddBranch("rewind-2", digits);
  // The newest first.
  const std::vector<v1::Run> runs = {ForkOf("late", 1, "orphan-2"),
                                     ForkOf("digits", 4500, "e", "rewind-1"),
                                     ForkOf("digits", 4500, "d", "forgotten"),
                                     ForkOf("b", 3, "c"),
                                     ForkOf("late", 1, "orphan-1"),
                                     ForkOf("digits", 2, "b"),
                                     digits,
                                     NewRun("other")};
  EXPECT_EQ(Outline(runs),
            "late gone\n  orphan-1\n  orphan-2\n"
            "digits\n  digits/rewind-1\n    e\n  digits/rewind-2\n  b\n    c\n  d\n"
            "other\n");
}

TEST(Tree, HoldsEveryRunOnceWhateverTheirParentsAre) {
  EXPECT_EQ(Outline({ForkOf("b", 1, "a"), ForkOf("a", 1, "b"), ForkOf("c", 1, "c")}), "a\n  b\nc\n");
  EXPECT_EQ(Outline({}), "");
}

TEST(Tree, MayBeDeep) {
  std::vector<v1::Run> runs = {NewRun("r0")};
  constexpr int kDepth = 5000;
  for (int i = 1; i < kDepth; ++i) {
    runs.insert(runs.begin(), ForkOf("r" + std::to_string(i - 1), 1, "r" + std::to_string(i)));
  }
  const std::vector<TreeLine> lines = MakeTree(runs);
  ASSERT_EQ(lines.size(), static_cast<size_t>(kDepth));
  EXPECT_EQ(lines.back().depth, kDepth - 1);
}

TEST(Tree, IsDrawnWithItsTwigs) {
  v1::Run digits = NewRun("digits");
  AddBranch("rewind-1", digits);
  const std::vector<v1::Run> runs = {ForkOf("b", 3, "c"), ForkOf("digits", 4000, "d", "rewind-1"),
                                     ForkOf("digits", 2, "b"), digits};
  EXPECT_EQ(TreeText(runs, true),
            "run                             from batch  status         batch  target  loss  eta\n"
            "digits                                      IDLE (paused)  4,000   4,000   0.5  0.1\n"
            "├─ rewind-1: 4,000–5,200, kept\n"
            "│  └─ d                              4,000  IDLE (paused)  4,000   4,000   0.5  0.1\n"
            "└─ b                                     2  IDLE (paused)  4,000   4,000   0.5  0.1\n"
            "   └─ c                                  3  IDLE (paused)  4,000   4,000   0.5  0.1\n");
  EXPECT_TRUE(absl::StrContains(TreeText(runs, false), "\n|- rewind-1: ")) << TreeText(runs, false);
  EXPECT_TRUE(absl::StrContains(TreeText(runs, false), "\n`- b ")) << TreeText(runs, false);
}

TEST(Tree, IsAListInJson) {
  const Json json = Json::parse(TreeJson({ForkOf("digits", 2, "b"), NewRun("c")}));
  ASSERT_EQ(json["runs"].size(), 3u);
  EXPECT_EQ(json["runs"][0], Json::parse(R"({"run_id": "digits", "depth": 0, "gone": true})"));
  EXPECT_EQ(json["runs"][1]["run_id"], "b");
  EXPECT_EQ(json["runs"][1]["depth"], 1);
  EXPECT_EQ(json["runs"][1]["gone"], false);
}

}  // namespace
}  // namespace pilothouse::client
