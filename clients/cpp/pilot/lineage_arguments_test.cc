// From the command line to requests: checkpoints, rewinds, forks, replay, history and export.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/parse_line.h"
#include "clients/cpp/pilot/requests.h"

namespace pilothouse::client {
namespace {

TEST(CheckpointArguments, SayWhenAndWhetherToPin) {
  const Arguments plain = Parse("checkpoint");
  EXPECT_EQ(plain.command, Command::kCheckpoint);
  EXPECT_EQ(plain.run, "");
  EXPECT_FALSE(plain.change.change.checkpoint().pin());
  const Arguments given = Parse("checkpoint digits --pin --at 4000 --note why");
  EXPECT_EQ(given.run, "digits");
  EXPECT_TRUE(given.change.change.checkpoint().pin());
  EXPECT_EQ(given.change.options.at_batch, 4000);
  EXPECT_EQ(Parse("checkpoint --at-batch 7").change.options.at_batch, 7);
  EXPECT_EQ(Parse("checkpoints dig").run, "dig");
}

TEST(CheckpointArguments, OfAStartBecomeASpec) {
  const v1::RunSpec plain = BuildStartRequest(Parse("start --net 2x1 --dataset x --loss mse").start, "").spec();
  EXPECT_FALSE(plain.checkpoints().has_interval());
  EXPECT_FALSE(plain.checkpoints().has_keep_last());
  EXPECT_FALSE(plain.checkpoints().has_keep_best());
  const v1::CheckpointSpec given =
      BuildStartRequest(Parse("start --net 2x1 --dataset x --loss mse --checkpoint-interval 90s --checkpoint-every 500 "
                              "--keep-checkpoints 7 --keep-checkpoint-every 1000 --no-keep-best")
                            .start,
                        "")
          .spec()
          .checkpoints();
  EXPECT_EQ(given.interval().seconds(), 90);
  EXPECT_EQ(given.every(), 500);
  EXPECT_EQ(given.keep_last(), 7);
  EXPECT_EQ(given.keep_every(), 1000);
  EXPECT_TRUE(given.has_keep_best());
  EXPECT_FALSE(given.keep_best());
  EXPECT_TRUE(Parse("start --net 2x1 --dataset x --loss mse --keep-best").start.checkpoints.keep_best());
  const v1::CheckpointSpec off =
      BuildStartRequest(Parse("start --net 2x1 --dataset x --loss mse --checkpoint-interval 0").start, "")
          .spec()
          .checkpoints();
  EXPECT_TRUE(off.has_interval());
  Refusal("start --net 2x1 --dataset x --loss mse --keep-best --no-keep-best");
  Refusal("start --net 2x1 --dataset x --loss mse --keep-checkpoints 0");
}

TEST(RewindArguments, NeedABatch) {
  EXPECT_EQ(Parse("rewind 4000").change.change.rewind().batch(), 4000);
  const Arguments given = Parse("rewind digits 0 --branch too-high");
  EXPECT_EQ(given.run, "digits");
  EXPECT_EQ(given.change.change.rewind().batch(), 0);
  EXPECT_EQ(given.change.branch, "too-high");
  EXPECT_TRUE(absl::StrContains(Refusal("rewind"), "batch to go back to"));
  EXPECT_TRUE(absl::StrContains(Refusal("rewind --branch b"), "batch to go back to"));
  EXPECT_TRUE(absl::StrContains(Refusal("rewind digits -5"), "whole number from 0"));
}

TEST(ForkArguments, BecomeARequest) {
  const v1::ForkRequest plain = Parse("fork digits").fork.request;
  EXPECT_EQ(plain.ByteSizeLong(), 0u);
  const Arguments given = Parse(
      "fork digits --at 4000 --branch rewind-1 --name digits-2 --eta 0.003 --set loss_every=1 --set state_every=-2 "
      "--seed 18446744073709551615 --shuffle --detach early-stopping --detach validate --plugin notify --batch-to "
      "8000");
  EXPECT_EQ(given.run, "digits");
  const v1::ForkRequest& request = given.fork.request;
  EXPECT_EQ(request.batch(), 4000);
  EXPECT_EQ(request.branch(), "rewind-1");
  EXPECT_EQ(request.new_run_id(), "digits-2");
  ASSERT_EQ(request.knobs_size(), 3);
  EXPECT_EQ(request.knobs(0).name(), "eta");
  EXPECT_EQ(request.knobs(0).value(), 0.003);
  EXPECT_EQ(request.knobs(2).name(), "state_every");
  EXPECT_EQ(request.knobs(2).value(), -2);
  EXPECT_EQ(request.seed(), 18446744073709551615u);
  EXPECT_TRUE(request.has_keep_order());
  EXPECT_FALSE(request.keep_order());
  ASSERT_EQ(request.detach_plugins_size(), 2);
  EXPECT_EQ(request.detach_plugins(1), "validate");
  ASSERT_EQ(request.attach_plugins_size(), 1);
  EXPECT_EQ(request.attach_plugins(0).kind(), "notify");
  EXPECT_EQ(request.target(), 8000);
  EXPECT_FALSE(request.has_more());
  EXPECT_TRUE(Parse("fork --keep-order").fork.request.keep_order());
  EXPECT_EQ(Parse("fork --eta-schedule 50,0.01").fork.request.eta_schedule(), "50,0.01");
  const v1::ForkRequest more = Parse("fork digits --batch-to +10").fork.request;
  EXPECT_EQ(more.more(), 10);
  EXPECT_FALSE(more.has_target());
}

TEST(ForkArguments, AreRefusedWhereTheyMakeNoSense) {
  Refusal("fork --keep-order --shuffle");
  EXPECT_TRUE(absl::StrContains(Refusal("fork --eta 0"), "above 0"));
  for (const std::string wrong : {"momentum", "=0.9", "momentum=fast"}) {
    EXPECT_TRUE(absl::StrContains(Refusal("fork --set " + wrong), "expected")) << wrong;
  }
  EXPECT_TRUE(absl::StrContains(Refusal("fork --at now"), "whole number"));
}

TEST(ReplayArguments, NameARunOrADirectory) {
  EXPECT_EQ(Parse("replay").replay.what, "");
  const ReplayArguments given = Parse("replay ./digits --through 400 --data /dev/null --data-dir /tmp").replay;
  EXPECT_EQ(given.what, "./digits");
  EXPECT_EQ(given.through, 400);
  EXPECT_EQ(given.data, std::vector<std::string>{"/dev/null"});
  EXPECT_EQ(given.data_folder, "/tmp");
  EXPECT_TRUE(absl::StrContains(Refusal("replay digits --data /no/such/file"), "/no/such/file"));
}

TEST(HistoryArguments, BecomeARequest) {
  const v1::ReadHistoryRequest plain = BuildHistoryRequest(Parse("history").history, "digits");
  EXPECT_EQ(plain.run_id(), "digits");
  EXPECT_TRUE(plain.kinds().empty());
  EXPECT_FALSE(plain.has_first_batch());
  EXPECT_FALSE(plain.has_last_batch());
  EXPECT_EQ(plain.max_points(), 0);
  const v1::ReadHistoryRequest given = BuildHistoryRequest(
      Parse("history digits --kinds loss,checkpoint --from 0 --to 90 --points 200 --branch *").history, "digits");
  EXPECT_EQ(given.kinds_size(), 2);
  EXPECT_EQ(given.kinds(1), v1::EVENT_KIND_CHECKPOINT);
  EXPECT_TRUE(given.has_first_batch());
  EXPECT_EQ(given.last_batch(), 90);
  EXPECT_EQ(given.max_points(), 200);
  EXPECT_EQ(given.branch(), "*");
  EXPECT_TRUE(absl::StrContains(Refusal("history --points 1"), "from 2 to 100,000"));
}

TEST(ExportArguments, TakeTheFormatFromTheFile) {
  EXPECT_EQ(Parse("export out.csv").export_to.format, ExportFormat::kCsv);
  EXPECT_EQ(Parse("export digits out.x.JSONL").export_to.format, ExportFormat::kJsonLines);
  EXPECT_EQ(Parse("export digits out.jsons").export_to.format, ExportFormat::kJsons);
  const Arguments given = Parse("export digits - --format csv");
  EXPECT_EQ(given.run, "digits");
  EXPECT_EQ(given.export_to.file, "-");
  EXPECT_EQ(given.export_to.format, ExportFormat::kCsv);
  EXPECT_EQ(Parse("export logs --format tensorboard").export_to.format, ExportFormat::kTensorBoard);
}

TEST(ExportArguments, NeedAFileAndAFormat) {
  EXPECT_TRUE(absl::StrContains(Refusal("export"), "needs the file"));
  for (const std::string file : {"out.txt", "logs", "-", "logs.tensorboard"}) {
    EXPECT_TRUE(absl::StrContains(Refusal("export " + file), "--format csv, jsonl, jsons or tensorboard")) << file;
  }
  EXPECT_TRUE(absl::StrContains(Refusal("export - --format tensorboard"), "folder"));
  EXPECT_TRUE(absl::StrContains(Refusal("export out --format xml"), "one of csv"));
}

}  // namespace
}  // namespace pilothouse::client
