// Real runs that are taken back, branch off, lose their trainer or a checkpoint, and are gone through again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "service/runs/process.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostOutput = 1 << 20;

// A disk of 4 KiB at a folder, for as long as the object lives.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& folder)
      : folder_(folder), mounted_(mount("none", folder.c_str(), "tmpfs", 0, "size=4k") == 0) {}
  ~SmallDisk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }

 private:
  const std::string folder_;
  const bool mounted_;
};

class GoingBack : public ::testing::Test {
 protected:
  // Three classes, shuffled, with examples held out, validated, steered by a plugin on wall time and one that decides.
  v1::RunSpec Spec() {
    std::string table;
    for (int row = 0; row < 120; ++row) {
      const double x = std::sin(row * 1.7);
      const double y = std::cos(row * 2.9);
      absl::StrAppend(&table, x, ",", y, ",", x > y ? 2 : x * y > 0.1 ? 1 : 0, "\n");
    }
    v1::RunSpec spec;
    spec.mutable_network()->set_shorthand("2x16tx3");
    spec.mutable_data()->set_dataset_id(*service_.UploadTable(table));
    spec.mutable_data()->set_validation_fraction(0.25);
    spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
    spec.set_batch_size(8);
    spec.set_seed(11);
    spec.mutable_checkpoints()->set_every(700);
    Add(spec, "validate", "each(250)");
    Add(spec, "reduce-eta", "");
    Add(spec, "statistics", "each(20 ms)");
    return spec;
  }
  static void Add(v1::RunSpec& spec, const std::string& kind, const std::string& schedule) {
    v1::PluginSpec& plugin = *spec.add_plugins();
    plugin.set_kind(kind);
    plugin.set_schedule(schedule);
  }

  // Trains on to a batch and waits for it.
  void TrainTo(const std::string& run_id, int64_t batch) {
    Watcher watcher(service_.stub(), FromNow(run_id));
    const auto receipt = service_.BatchTo(run_id, batch);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    ASSERT_TRUE(Eventually([&] {
      const auto state = service_.State(run_id);
      return state.ok() && state->run().batch() == batch && state->run().status() == v1::RUN_STATUS_IDLE;
    }));
  }
  // A run that trained to 3,000 and was steered at batches that have no checkpoint.
  std::string SteeredRun() {
    const auto run = service_.Start(Spec(), 1000);
    EXPECT_TRUE(run.ok()) << run.status();
    EXPECT_TRUE(service_.SetEta(run->run_id(), 0.4, AtBatch(1000, "up")).ok());
    TrainTo(run->run_id(), 2000);
    EXPECT_TRUE(service_.SetEta(run->run_id(), 0.05).ok());
    TrainTo(run->run_id(), 3000);
    return run->run_id();
  }
  absl::StatusOr<v1::RewindResponse> Rewind(const std::string& run_id, int64_t batch, const std::string& branch = "") {
    v1::RewindRequest request;
    request.set_run_id(run_id);
    request.set_batch(batch);
    request.set_branch(branch);
    v1::RewindResponse response;
    grpc::ClientContext context;
    const grpc::Status status = service_.stub().Rewind(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }
  absl::StatusOr<v1::Run> Fork(const v1::ForkRequest& request) {
    v1::ForkResponse response;
    grpc::ClientContext context;
    const grpc::Status status = service_.stub().Fork(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response.run();
  }
  static v1::ForkRequest ForkOf(const std::string& run_id, int64_t batch, const std::string& branch = "") {
    v1::ForkRequest request;
    request.set_run_id(run_id);
    request.set_batch(batch);
    request.set_branch(branch);
    return request;
  }
  std::string Vector(const std::string& run_id) {
    const auto state = service_.State(run_id, /*with_vector=*/true);
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? state->state().data() : "";
  }
  std::string RunDirectory(const std::string& run_id) const { return service_.directory() + "/runs/" + run_id; }
  absl::StatusOr<std::string> Replay(const std::string& directory, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {PILOTHOUSE_TRAINER, "--replay", directory});
    return service::RunToEnd(options, "", kMostOutput, std::chrono::minutes(4), service_.directory() + "/replay.log",
                             [] { return false; });
  }
  void ExpectIdentical(const std::string& run_id) {
    const auto replay = Replay(RunDirectory(run_id));
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE(absl::StrContains(*replay, "identical through batch")) << *replay;
  }
  static void SignalTrainer(const std::string& run_id, int signal) {
    const pid_t trainer = TestService::TrainerOf(run_id);
    ASSERT_GT(trainer, 0);
    ASSERT_EQ(kill(trainer, signal), 0);
  }
  static void KillTrainer(const std::string& run_id) { SignalTrainer(run_id, SIGKILL); }
  bool IsAgain(const std::string& run_id, v1::RunStatus status) {
    return Eventually([&] {
      const auto state = service_.State(run_id);
      return state.ok() && state->run().status() == status && TestService::TrainerOf(run_id) > 0;
    });
  }

  TestService service_;
};

TEST_F(GoingBack, ARunIsTakenBackToABatchWithoutACheckpointAndTrainsTheSameAgain) {
  const std::string run = SteeredRun();
  const std::string at_3000 = Vector(run);
  const auto back = Rewind(run, 1234);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->receipt().value(), 1234);
  EXPECT_EQ(back->receipt().branch(), "rewind-1");
  const auto state = service_.State(run);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->run().batch(), 1234);
  EXPECT_EQ(state->run().idle_reason(), v1::IDLE_REASON_PAUSED);
  EXPECT_EQ(state->run().branches_size(), 1);
  TrainTo(run, 2000);
  ASSERT_TRUE(service_.SetEta(run, 0.05).ok());
  TrainTo(run, 3000);
  EXPECT_EQ(Vector(run), at_3000) << "the same steering at the same batches";
  const auto again = Rewind(run, 500, "second");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ReasonOf(Rewind(run, 501).status()), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(Rewind(run, 100, "second").status()), v1::ERROR_REASON_BRANCH_ALREADY_EXISTS);
  TrainTo(run, 900);
  ASSERT_TRUE(service_.Stop(run).ok());
  ExpectIdentical(run);
}

TEST_F(GoingBack, ARunThatLostItsTrainerAfterARewindIsWhereItWasTakenBackTo) {
  const std::string run = SteeredRun();
  ASSERT_TRUE(Rewind(run, 2100).ok());
  const std::string at_2100 = Vector(run);
  KillTrainer(run);
  ASSERT_TRUE(IsAgain(run, v1::RUN_STATUS_IDLE));
  EXPECT_EQ(service_.State(run)->run().batch(), 2100);
  EXPECT_EQ(Vector(run), at_2100);
  ASSERT_TRUE(service_.Stop(run).ok());
  ExpectIdentical(run);
}

TEST_F(GoingBack, ARunWhoseTrainerIsToldToEndGoesOnWithAnother) {
  const std::string run = SteeredRun();
  const std::string at_3000 = Vector(run);
  const pid_t first = TestService::TrainerOf(run);
  Watcher watcher(service_.stub(), FromNow(run));
  SignalTrainer(run, SIGTERM);
  const auto lost =
      watcher.WaitForEvent([](const v1::Event& event) { return event.status().status() == v1::RUN_STATUS_LOST; });
  ASSERT_TRUE(lost.has_value());
  EXPECT_TRUE(absl::StrContains(lost->status().message(), "as it was told to")) << lost->status().message();
  EXPECT_TRUE(absl::StrContains(lost->status().message(), "its checkpoint at batch 3000")) << lost->status().message();
  ASSERT_TRUE(IsAgain(run, v1::RUN_STATUS_IDLE));
  EXPECT_NE(TestService::TrainerOf(run), first);
  EXPECT_EQ(Vector(run), at_3000);
  TrainTo(run, 3500);
  ASSERT_TRUE(service_.Stop(run).ok());
  ExpectIdentical(run);
}

TEST_F(GoingBack, AForkOfAForkBeginsWhereItsParentWasAndNeedsItNoMore) {
  const std::string run = SteeredRun();
  const std::string at_3000 = Vector(run);
  auto same = ForkOf(run, 1650);
  same.set_target(2000);
  const auto child = Fork(same);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->parent().run_id(), run);
  ASSERT_TRUE(Eventually([&] { return service_.State(child->run_id())->run().batch() == 2000; }));
  ASSERT_TRUE(service_.SetEta(child->run_id(), 0.05).ok());
  TrainTo(child->run_id(), 3000);
  EXPECT_EQ(Vector(child->run_id()), at_3000) << "nothing was changed, so nothing is different";
  auto other = ForkOf(child->run_id(), 2500);
  other.set_seed(99);
  v1::KnobChange& eta = *other.add_knobs();
  eta.set_name("eta");
  eta.set_value(0.2);
  other.add_detach_plugins("reduce-eta");
  const auto grandchild = Fork(other);
  ASSERT_TRUE(grandchild.ok()) << grandchild.status();
  EXPECT_EQ(service_.State(grandchild->run_id())->run().eta(), 0.2);
  TrainTo(grandchild->run_id(), 3000);
  EXPECT_NE(Vector(grandchild->run_id()), at_3000);
  for (const std::string& id : {run, child->run_id(), grandchild->run_id()}) ASSERT_TRUE(service_.Stop(id).ok());
  const std::string elsewhere = service_.directory() + "/elsewhere";
  fs::rename(RunDirectory(child->run_id()), elsewhere);
  ExpectIdentical(run);
  ExpectIdentical(grandchild->run_id());
  const auto moved = Replay(elsewhere, {"--data-dir", service_.directory()});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_TRUE(absl::StrContains(*moved, "identical")) << *moved;
}

TEST_F(GoingBack, ABranchCanBeForkedAndWhatIsNotThereIsRefused) {
  const std::string run = SteeredRun();
  const std::string at_3000 = Vector(run);
  ASSERT_TRUE(Rewind(run, 900, "first").ok());
  const auto child = Fork(ForkOf(run, 3000, "first"));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(Vector(child->run_id()), at_3000);
  EXPECT_EQ(ReasonOf(Fork(ForkOf(run, 3000)).status()), v1::ERROR_REASON_BATCH_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(Fork(ForkOf(run, 100, "none")).status()), v1::ERROR_REASON_BRANCH_NOT_FOUND);
  auto wrong = ForkOf(run, 100);
  wrong.add_detach_plugins("no-such");
  EXPECT_EQ(ReasonOf(Fork(wrong).status()), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
}

TEST_F(GoingBack, ADamagedCheckpointIsNamedAndTheOneBeforeIsUsed) {
  const std::string run = SteeredRun();
  const std::string at_3000 = Vector(run);
  v1::SaveCheckpointRequest request;
  request.set_run_id(run);
  v1::SaveCheckpointResponse saved;
  grpc::ClientContext context;
  ASSERT_TRUE(service_.stub().SaveCheckpoint(&context, request, &saved).ok());
  EXPECT_EQ(saved.checkpoint().batch(), 3000);
  {
    std::fstream file(RunDirectory(run) + "/" + saved.checkpoint().file(),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const auto last = static_cast<char>(file.get());
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(last ^ 1));
  }
  KillTrainer(run);
  ASSERT_TRUE(IsAgain(run, v1::RUN_STATUS_IDLE));
  const auto state = service_.State(run);
  EXPECT_TRUE(absl::StrContains(state->run().status_message(), "batch-000000003000.safetensors"))
      << state->run().status_message();
  EXPECT_EQ(state->run().batch(), 3000);
  EXPECT_EQ(Vector(run), at_3000);
}

TEST_F(GoingBack, AFullDiskIsReportedTrainingGoesOnAndItRecovers) {
  const std::string run = SteeredRun();
  Watcher watcher(service_.stub(), FromNow(run));
  {
    // Under the run's own folder of checkpoints, so that the journal has room.
    const SmallDisk disk(RunDirectory(run) + "/checkpoints");
    if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk is not allowed here";
    TrainTo(run, 6000);
    const auto failed = watcher.WaitForEvent([](const v1::Event& event) {
      return absl::StrContains(event.checkpoint().error(), "No space left on device");
    });
    EXPECT_TRUE(failed.has_value());
  }
  TrainTo(run, 7000);
  EXPECT_TRUE(watcher.WaitForEvent([](const v1::Event& event) {
    return event.has_checkpoint() && event.checkpoint().error().empty() && event.checkpoint().batch() > 6000;
  }));
  ASSERT_TRUE(service_.Stop(run).ok());
  ExpectIdentical(run);
}

}  // namespace
}  // namespace pilothouse::testing
