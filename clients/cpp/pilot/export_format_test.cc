#include "clients/cpp/pilot/export_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

v1::Event NewEvent(uint64_t sequence, int64_t batch) {
  v1::Event event;
  event.set_sequence(sequence);
  event.set_batch(batch);
  event.mutable_time()->set_seconds(1767225600);
  return event;
}

v1::Event Loss(int64_t batch, double value) {
  v1::Event event = NewEvent(3, batch);
  event.mutable_loss()->set_value(value);
  return event;
}

v1::Event State(int64_t batch, double loss) {
  v1::Event event = NewEvent(4, batch);
  *event.mutable_state()->mutable_state() = MakeTensor(std::vector<double>{0.1, NAN}, {2});
  event.mutable_state()->set_eta(0.5);
  event.mutable_state()->set_loss(loss);
  return event;
}

v1::Event Eta(int64_t batch, double value, const std::string& note) {
  v1::Event event = NewEvent(5, batch);
  v1::ControlReport& control = *event.mutable_control();
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.set_value(value);
  control.set_previous_value(0.1);
  control.set_origin("ana@lab/pilot");
  control.set_note(note);
  return event;
}

std::string Header(ExportFormat format) { return ExportLines(format).Header(); }
// As the only event of a file.
std::string Line(ExportFormat format, const v1::Event& event) { return ExportLines(format).Next(event); }

TEST(Csv, HasARowForEachEvent) {
  EXPECT_EQ(Header(ExportFormat::kCsv), "sequence,batch,time,kind,name,value,previous_value,eta,origin,details\n");
  EXPECT_EQ(Line(ExportFormat::kCsv, Loss(7, 0.1)), "3,7,2026-01-01T00:00:00Z,loss,,0.1,,,,\n");
  EXPECT_EQ(Line(ExportFormat::kCsv, Loss(7, -INFINITY)), "3,7,2026-01-01T00:00:00Z,loss,,-Infinity,,,,\n");
  EXPECT_EQ(Line(ExportFormat::kCsv, State(7, 0.25)),
            "4,7,2026-01-01T00:00:00Z,state,,0.5,,0.5,,\"{\"\"state\"\":[0.1,\"\"NaN\"\"],\"\"loss\"\":0.25}\"\n");
  v1::Event with_eta = Loss(7, 0.1);
  with_eta.mutable_loss()->set_eta(0.25);
  EXPECT_EQ(Line(ExportFormat::kCsv, with_eta), "3,7,2026-01-01T00:00:00Z,loss,,0.1,,0.25,,\n");
  v1::Event status = NewEvent(6, 9);
  status.mutable_status()->set_status(v1::RUN_STATUS_LOST);
  status.mutable_status()->set_message("killed");
  EXPECT_EQ(
      Line(ExportFormat::kCsv, status),
      "6,9,2026-01-01T00:00:00Z,status,LOST,,,,,\"{\"\"message\"\":\"\"killed\"\",\"\"target\"\":0,\"\"loss\"\":0."
      "0}\"\n");
}

TEST(Csv, QuotesAsTheStandardSays) {
  const std::string line = Line(ExportFormat::kCsv, Eta(7, 0.01, "a,b\n\"c\""));
  EXPECT_TRUE(absl::StartsWith(line, "5,7,2026-01-01T00:00:00Z,control,eta,0.01,0.1,,ana@lab/pilot,\"{")) << line;
  EXPECT_TRUE(absl::StrContains(line, R"(""note"":""a,b\n\""c\"""")")) << line;
  v1::Event rewind = Eta(7, 4000, "");
  rewind.mutable_control()->mutable_change()->mutable_rewind()->set_batch(4000);
  rewind.mutable_control()->set_branch("rewind-1");
  rewind.mutable_control()->set_origin("a,\"b\"");
  EXPECT_EQ(Line(ExportFormat::kCsv, rewind),
            "5,7,2026-01-01T00:00:00Z,control,rewind,4000.0,0.1,,\"a,\"\"b\"\"\","
            "\"{\"\"control\"\":\"\"rewind\"\",\"\"branch\"\":\"\"rewind-1\"\"}\"\n");
}

TEST(Csv, NamesPluginsAndCheckpoints) {
  v1::Event plugin = NewEvent(6, 9);
  plugin.mutable_plugin()->set_plugin("validate");
  v1::NamedValue& loss = *plugin.mutable_plugin()->mutable_output()->add_values();
  loss.set_name("validation_loss");
  loss.set_value(0.5);
  EXPECT_EQ(Line(ExportFormat::kCsv, plugin),
            "6,9,2026-01-01T00:00:00Z,plugin,validate,0.5,,,,\"{\"\"values\"\":{\"\"validation_loss\"\":0.5}}\"\n");
  v1::Event checkpoint = NewEvent(7, 9);
  checkpoint.mutable_checkpoint()->set_batch(8);
  checkpoint.mutable_checkpoint()->set_file("checkpoints/b");
  EXPECT_TRUE(absl::StartsWith(Line(ExportFormat::kCsv, checkpoint),
                               "7,9,2026-01-01T00:00:00Z,checkpoint,checkpoints/b,8,,,,"));
}

TEST(JsonLines, AreThoseOfAWatch) {
  EXPECT_EQ(Header(ExportFormat::kJsonLines), "");
  const std::string line = Line(ExportFormat::kJsonLines, Loss(7, NAN));
  EXPECT_EQ(Json::parse(line), Json::parse(R"({"type": "loss", "sequence": 3, "batch": 7, "value": "NaN",
                                               "time": "2026-01-01T00:00:00Z", "at_target": false, "eta": null})"));
  v1::Event with_eta = Loss(7, 0.5);
  with_eta.mutable_loss()->set_eta(0.25);
  EXPECT_EQ(Json::parse(Line(ExportFormat::kJsonLines, with_eta))["eta"], 0.25);
  EXPECT_EQ(line.back(), '\n');
}

TEST(ObservatoryLog, HoldsPairsOfBatchAndValue) {
  EXPECT_EQ(Line(ExportFormat::kJsons, Loss(7, 0.25)), "{\"loss\":[7,0.25]}\n");
  EXPECT_EQ(Line(ExportFormat::kJsons, Loss(7, NAN)), "{\"loss\":[7,null]}\n");
  EXPECT_EQ(Line(ExportFormat::kJsons, State(7, 0.25)), "{\"eta\":[7,0.5],\"sv\":[7,[0.1,null]]}\n");
  EXPECT_EQ(Line(ExportFormat::kJsons, State(0, -1)), "{\"eta\":[0,0.5],\"sv\":[0,[0.1,null]],\"loss\":[0,-1.0]}\n");
  EXPECT_EQ(Line(ExportFormat::kJsons, Eta(7, 0.01, "")), "{\"eta\":[7,0.01]}\n");
  v1::Event other = Eta(7, 0.01, "");
  other.mutable_control()->mutable_change()->mutable_knob()->set_name("loss_every");
  EXPECT_EQ(Line(ExportFormat::kJsons, other), "");
  EXPECT_EQ(Line(ExportFormat::kJsons, NewEvent(1, 1)), "");
}

TEST(ObservatoryLog, TellsEtaWithALossWhereAScheduleHasChangedIt) {
  ExportLines lines(ExportFormat::kJsons);
  const auto loss = [&lines](int64_t batch, double eta) {
    v1::Event event = Loss(batch, 0.25);
    event.mutable_loss()->set_eta(eta);
    return lines.Next(event);
  };
  // Nothing has told it before.
  EXPECT_EQ(loss(1, 0.5), "{\"loss\":[1,0.25],\"eta\":[1,0.5]}\n");
  EXPECT_EQ(loss(2, 0.5), "{\"loss\":[2,0.25]}\n");
  EXPECT_EQ(loss(3, 0.125), "{\"loss\":[3,0.25],\"eta\":[3,0.125]}\n");
  // Older trainers do not say it.
  EXPECT_EQ(lines.Next(Loss(4, 0.25)), "{\"loss\":[4,0.25]}\n");
  EXPECT_EQ(lines.Next(State(5, 0.25)), "{\"eta\":[5,0.5],\"sv\":[5,[0.1,null]]}\n");
  EXPECT_EQ(loss(6, 0.5), "{\"loss\":[6,0.25]}\n");
  EXPECT_EQ(lines.Next(Eta(6, 0.01, "")), "{\"eta\":[6,0.01]}\n");
  EXPECT_EQ(loss(7, 0.01), "{\"loss\":[7,0.25]}\n");
}

}  // namespace
}  // namespace pilothouse::client
