// Lines of text and of JSON.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/session.h"
#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

std::vector<Json> Lines(const WatchItem& item) {
  std::vector<Json> lines;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(WatchLines(item), '\n', absl::SkipEmpty()))) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

TEST(JsonLines, HaveTheDocumentedFields) {
  WatchItem item;
  item.message.mutable_snapshot()->set_run_id("digits");
  item.message.mutable_snapshot()->set_loss(-1);
  v1::Gap& gap = *item.message.add_gaps();
  gap.set_first(3);
  gap.set_last(9);
  v1::Event& loss = *item.message.add_events();
  loss.set_sequence(10);
  loss.set_batch(7);
  loss.mutable_time()->set_seconds(1767225600);
  loss.mutable_loss()->set_value(NAN);
  loss.mutable_loss()->set_at_target(true);
  v1::Event& control = *item.message.add_events();
  control.mutable_control()->mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_control()->set_value(0.01);
  control.mutable_control()->set_at_batch(7);
  v1::Event& following = *item.message.add_events();
  *following.mutable_control() = control.control();
  following.mutable_control()->mutable_change()->mutable_knob()->set_follow_schedule(true);
  v1::Event& stop = *item.message.add_events();
  stop.mutable_control()->mutable_change()->mutable_stop();
  v1::Event& state = *item.message.add_events();
  *state.mutable_state()->mutable_state() = MakeTensor(std::vector<double>{1, -INFINITY}, {2});
  item.message.mutable_heartbeat()->set_status(v1::RUN_STATUS_IDLE);

  const std::vector<Json> lines = Lines(item);
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[0]["type"], "snapshot");
  EXPECT_EQ(lines[0]["run"]["run_id"], "digits");
  EXPECT_EQ(lines[1], Json::parse(R"({"type": "gap", "first": 3, "last": 9})"));
  EXPECT_EQ(lines[2], Json::parse(R"({"type": "loss", "sequence": 10, "batch": 7, "time": "2026-01-01T00:00:00Z",
                                      "value": "NaN", "at_target": true, "eta": null})"));
  EXPECT_EQ(lines[3]["control"], "knob");
  EXPECT_EQ(lines[3]["name"], "eta");
  EXPECT_EQ(lines[3]["at_batch"], 7);
  EXPECT_EQ(lines[3]["follow_schedule"], false);
  EXPECT_EQ(lines[4]["follow_schedule"], true);
  EXPECT_FALSE(lines[5].contains("follow_schedule"));
  EXPECT_EQ(lines[6]["state"], Json::parse(R"([1.0, "-Infinity"])"));
  EXPECT_EQ(lines[7]["type"], "heartbeat");
  EXPECT_EQ(lines[7]["status"], "IDLE");
  EXPECT_TRUE(lines[7]["training_thread_seen_time"].is_null());
}

TEST(JsonLines, TellOfALostConnection) {
  WatchItem item;
  item.connection = absl::UnavailableError("gone \xff");
  item.retry_in = absl::Milliseconds(1500);
  const std::vector<Json> lines = Lines(item);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["type"], "connection");
  EXPECT_EQ(lines[0]["lost"], true);
  EXPECT_EQ(lines[0]["retry_in_seconds"], 1.5);
}

TEST(Json, HoldsErrorsRunsAndReceipts) {
  const absl::Status error = MakeError(v1::ERROR_REASON_ETA_INVALID, "eta", "eta must be above 0.", {{"value", "-1"}});
  const Json json = Json::parse(ErrorJson(error, 1));
  EXPECT_EQ(json["error"]["reason"], "ETA_INVALID");
  EXPECT_EQ(json["error"]["field"], "eta");
  EXPECT_EQ(json["error"]["metadata"]["value"], "-1");
  EXPECT_EQ(json["error"]["exit_code"], 1);
  EXPECT_TRUE(Json::parse(ErrorJson(absl::UnavailableError("x"), 3))["error"]["reason"].is_null());
  EXPECT_EQ(Json::parse(RunsJson({}))["runs"], Json::array());
  EXPECT_EQ(Json::parse(RunsJson({v1::Run()}))["runs"].size(), 1u);
  v1::Receipt receipt;
  receipt.set_control_id(57);
  receipt.set_value(0.01);
  EXPECT_EQ(Json::parse(ReceiptJson("digits", receipt))["control_id"], 57);
  EXPECT_EQ(Json::parse(ReceiptJson("digits", receipt))["value"], 0.01);
  Prediction prediction;
  prediction.width = 2;
  prediction.outputs = {0.25, 0.75, 1, 0};
  EXPECT_EQ(Json::parse(PredictionJson(prediction))["outputs"], Json::parse("[[0.25, 0.75], [1.0, 0.0]]"));
}

TEST(Errors, NameTheirReasonAndField) {
  EXPECT_EQ(ErrorText(MakeError(v1::ERROR_REASON_ETA_INVALID, "eta", "no\x1bgood.")), "no?good. [ETA_INVALID, eta]");
  EXPECT_EQ(ErrorText(MakeError(v1::ERROR_REASON_RUN_ENDED, "", "over.")), "over. [RUN_ENDED]");
  EXPECT_EQ(ErrorText(absl::UnavailableError("away")), "away");
}

TEST(Sentences, SayWhatAReceiptMeans) {
  v1::Receipt receipt;
  receipt.set_control_id(57);
  receipt.set_applied_batch(1234);
  receipt.set_value(0.01);
  v1::Change change;
  change.mutable_knob()->set_name("eta");
  EXPECT_EQ(ReceiptLine(change, receipt), "eta is 0.01 from batch 1234 on (receipt 57)");
  change.mutable_knob()->set_follow_schedule(true);
  EXPECT_EQ(ReceiptLine(change, receipt), "eta follows its schedule, and is 0.01, from batch 1234 on (receipt 57)");
  v1::ControlReport control;
  *control.mutable_change() = change;
  control.set_previous_value(0.1);
  control.set_value(0.01);
  EXPECT_EQ(ControlText(control), "eta 0.1 → 0.01 (schedule)");
  receipt.set_value(5000);
  change.mutable_target()->set_batch(5000);
  EXPECT_EQ(ReceiptLine(change, receipt), "target is 5000 from batch 1234 on (receipt 57)");
  change.mutable_target()->mutable_pause();
  EXPECT_EQ(ReceiptLine(change, receipt), "paused at batch 1234 (receipt 57)");
  v1::StopResponse stop;
  *stop.mutable_receipt() = receipt;
  stop.set_final_batch(1234);
  stop.set_final_loss(0.5);
  EXPECT_EQ(StopLine("digits", stop), "digits stopped at batch 1234, loss 0.5 (receipt 57)");
}

TEST(Sentences, SayWhatAnEventMeans) {
  v1::Event event;
  event.set_batch(1200);
  event.mutable_loss()->set_value(0.0421312);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  batch 1200  loss 0.042131"));
  event.mutable_status()->set_status(v1::RUN_STATUS_IDLE);
  event.mutable_status()->set_idle_reason(v1::IDLE_REASON_DIVERGED);
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  status IDLE (diverged)"));
  v1::ControlReport& control = *event.mutable_control();
  control.mutable_change()->mutable_target()->set_batch(5000);
  control.set_previous_value(1000);
  control.set_value(5000);
  control.set_origin("ana");
  EXPECT_TRUE(absl::EndsWith(EventLine(event), "  target 1,000 → 5,000  by ana"));
}

TEST(RunTable, MarksRunsThatLiveAndHaveSomethingToSay) {
  std::vector<v1::Run> runs(3);
  runs[0].set_run_id("digits");
  runs[0].set_status(v1::RUN_STATUS_TRAINING);
  runs[0].set_status_message("The journal cannot be written. The trainer trains on.");
  runs[1].set_run_id("well");
  runs[1].set_status(v1::RUN_STATUS_TRAINING);
  runs[2].set_run_id("over");
  runs[2].set_status(v1::RUN_STATUS_COMPLETED);
  runs[2].set_status_message("early-stop: good enough");
  const std::string table = RunTable(runs);
  EXPECT_TRUE(absl::StrContains(table, "TRAINING !")) << table;
  EXPECT_TRUE(
      absl::StrContains(table, "\n! digits: The journal cannot be written.\n! pilot state RUN says all of it\n"))
      << table;
  EXPECT_FALSE(absl::StrContains(table, "! well")) << table;
  EXPECT_FALSE(absl::StrContains(table, "early-stop")) << table;
  EXPECT_FALSE(absl::StrContains(RunTable({runs[1], runs[2]}), "!"));
}

}  // namespace
}  // namespace pilothouse::client
