// History and its export, as a script sees them, against a fake service.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/program_fixture.h"

namespace pilothouse::client {
namespace {

using Json = nlohmann::json;

class HistoryProgram : public Program {
 protected:
  HistoryProgram() {
    house_.AddRun("digits");
    house_.AddState("digits");
    for (int batch = 1; batch <= 3; ++batch) house_.AddLoss("digits", batch, 1.0 / batch);
    house_.AddStatus("digits", v1::RUN_STATUS_STOPPED, "done, \"really\"");
  }

  std::string Read(const std::string& name) const {
    std::ifstream file(folder_.Path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(HistoryProgram, PrintsALineForEachEvent) {
  const Result all = Run("history digits");
  EXPECT_EQ(all.exit_code, kExitSuccess) << all.errors;
  const std::vector<std::string> lines = absl::StrSplit(all.output, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4u) << all.output;
  EXPECT_TRUE(absl::EndsWith(lines[0], "batch 1  loss 1")) << lines[0];
  EXPECT_TRUE(absl::StrContains(lines[3], "status STOPPED")) << lines[3];
  const Result some =
      Run({"history", "--kinds", "loss", "--from", "2", "--to", "2", "--points", "50", "--branch", "*"});
  EXPECT_TRUE(absl::EndsWith(some.output, "batch 2  loss 0.5\n")) << some.output;
  EXPECT_EQ(house_.histories().back().max_points(), 50);
  EXPECT_EQ(house_.histories().back().branch(), "*");
  EXPECT_EQ(Json::parse(Run("history dig --kinds status --json").output)["status"], "STOPPED");
  EXPECT_EQ(Run("history nobody").exit_code, kExitRefused);
}

TEST_F(HistoryProgram, TellsWhatCannotBeRead) {
  house_.AddDamage(7, 9);
  EXPECT_TRUE(absl::StartsWith(Run("history digits").output, "the journal is damaged: events from 7 to 9"));
  house_.AddDamage(7, 9);
  EXPECT_TRUE(absl::StartsWith(Run("history digits --json").output, R"({"type":"damaged","first":7,"last":9})"));
  house_.AddDamage(7, 9);
  const Result written = Run("export digits - --format jsons");
  EXPECT_EQ(written.exit_code, kExitSuccess);
  EXPECT_EQ(written.errors, "pilot: the journal is damaged: events from 7 to 9 cannot be read.\n");
}

TEST_F(HistoryProgram, ExportsEveryFormat) {
  const Result csv = Run("export digits " + folder_.Path("out.csv"));
  EXPECT_EQ(csv.output, "wrote 5 events of digits to " + folder_.Path("out.csv") + "\n") << csv.errors;
  EXPECT_EQ(Read("out.csv"),
            "sequence,batch,time,kind,name,value,previous_value,eta,origin,details\n"
            "1,0,2026-01-01T00:00:01Z,state,,0.1,,0.1,,\"{\"\"state\"\":[0.5,\"\"NaN\"\"],\"\"asked\"\":true}\"\n"
            "2,1,2026-01-01T00:00:02Z,loss,,1.0,,,,\n"
            "3,2,2026-01-01T00:00:03Z,loss,,0.5,,,,\n"
            "4,3,2026-01-01T00:00:04Z,loss,,0.3333333333333333,,,,\n"
            "5,3,2026-01-01T00:00:05Z,status,STOPPED,,,,,\"{\"\"message\"\":\"\"done, \\\"\"really\\\"\"\"\","
            "\"\"target\"\":0,\"\"loss\"\":0.3333333333333333}\"\n");
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("out.csv.tmp")));
  EXPECT_EQ(Run("export digits - --format jsons").output,
            "{\"eta\":[0,0.1],\"sv\":[0,[0.5,null]],\"loss\":[0,-1.0]}\n{\"loss\":[1,1.0]}\n{\"loss\":[2,0.5]}\n"
            "{\"loss\":[3,0.3333333333333333]}\n");
  const Json told = Json::parse(Run("export digits --json " + folder_.Path("out.jsonl")).output);
  EXPECT_EQ(told["events"], 5);
  const std::vector<std::string> lines = absl::StrSplit(Read("out.jsonl"), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_TRUE(Json::parse(lines[0])["loss"].is_null()) << "no batch was trained yet";
  EXPECT_EQ(Json::parse(lines[4])["message"], "done, \"really\"");
}

TEST_F(HistoryProgram, ReadsPageByPage) {
  for (int batch = 4; batch <= 12000; ++batch) house_.AddLoss("digits", batch, 0.5);
  const Result result = Run("export digits --kinds loss " + folder_.Path("out.jsons"));
  EXPECT_TRUE(absl::StartsWith(result.output, "wrote 12,000 events")) << result.output << result.errors;
  EXPECT_EQ(house_.histories().size(), 3u);
}

TEST_F(HistoryProgram, LeavesNoHalfFile) {
  const Result nowhere = Run("export digits " + folder_.Path("no/such/out.csv"));
  EXPECT_EQ(nowhere.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(nowhere.errors, "cannot write")) << nowhere.errors;
  std::filesystem::create_directory(folder_.Path("folder.csv"));
  EXPECT_NE(Run("export digits " + folder_.Path("folder.csv")).exit_code, kExitSuccess);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("folder.csv.tmp")));
  folder_.Write("kept.csv", "before");
  EXPECT_EQ(Run("export nobody " + folder_.Path("kept.csv")).exit_code, kExitRefused);
  EXPECT_EQ(Read("kept.csv"), "before");
}

TEST_F(HistoryProgram, LeavesTensorBoardToPython) {
  // Its package is there when it is asked for that; then it prints its words.
  const std::string python =
      folder_.Write("python", "#!/bin/sh\n[ \"$1\" = -c ] && exit 0\nprintf '%s ' \"$@\"\nexit 5\n");
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  variables_ = {"PILOTHOUSE_PYTHON=" + python};
  const Result result = Run({"export", "dig", "logs", "--format", "tensorboard", "--kinds", "loss,plugin", "--from",
                             "1", "--to", "9", "--points", "50", "--branch", "*"});
  EXPECT_EQ(result.exit_code, 5) << result.errors;
  EXPECT_EQ(result.output, absl::StrCat("-m pilothouse export --address ", folder_.Address(),
                                        " --run digits --format tensorboard --kinds loss,plugin --from 1 --to 9 "
                                        "--points 50 --branch * -- logs "));
  variables_ = {"PILOTHOUSE_PYTHON=/bin/false"};
  const Result missing = Run("export digits logs --format tensorboard");
  EXPECT_EQ(missing.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(missing.errors, "has no package pilothouse")) << missing.errors;
  variables_ = {"PILOTHOUSE_PYTHON=/no/such/python"};
  EXPECT_TRUE(absl::StrContains(Run("export digits logs --format tensorboard").errors, "cannot run /no/such/python"));
}

}  // namespace
}  // namespace pilothouse::client
