// The data of a run are gone when its trainer has to be started again: the run waits for them, or is stopped.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.pb.h"
#include "tests/fault/lone_run.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {
namespace {

class DataGone : public LoneRunTest {
 protected:
  // A run that trains on and on, on a file of the service's.
  void Train() {
    ASSERT_NO_FATAL_FAILURE(service_.Start());
    Write(kXorTable);
    v1::StartRunRequest request = LongXorRun();
    request.mutable_spec()->mutable_data()->set_file("xor.csv");
    run_ = service_.StartRun(request);
  }
  std::string Path() const { return service_.directory() + "/files/xor.csv"; }
  void Write(const std::string& table) { std::ofstream(Path()) << table; }
  void KillTrainer() {
    const pid_t trainer = TestService::TrainerOf(run_);
    ASSERT_GT(trainer, 0);
    ASSERT_EQ(kill(trainer, SIGKILL), 0);
  }
  void ExpectToWaitBecause(const std::string& why) {
    ASSERT_TRUE(Eventually([&] {
      const v1::Run run = State();
      return run.status() == v1::RUN_STATUS_LOST && absl::StrContains(run.status_message(), why);
    })) << State().DebugString();
  }
};

TEST_F(DataGone, TheRunGoesOnWhenTheyAreThereAgain) {
  ASSERT_NO_FATAL_FAILURE(Train());
  std::filesystem::remove(Path());
  ASSERT_NO_FATAL_FAILURE(KillTrainer());
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("There is no file \"xor.csv\""));
  const int64_t batch = State().batch();
  Write(absl::StrCat(kXorTable, "1,1,0.5\n"));
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("not those the run was started with"));
  Write(kXorTable);
  ASSERT_TRUE(Eventually([&] { return State().status() == v1::RUN_STATUS_TRAINING && State().batch() > batch; }))
      << State().DebugString();
  ASSERT_NO_FATAL_FAILURE(StopIt());
  ExpectToReplay();
}

TEST_F(DataGone, ARunThatWaitsForThemCanBeStopped) {
  ASSERT_NO_FATAL_FAILURE(Train());
  std::filesystem::remove(Path());
  ASSERT_NO_FATAL_FAILURE(KillTrainer());
  ASSERT_NO_FATAL_FAILURE(ExpectToWaitBecause("a stop ends it"));
  ASSERT_NO_FATAL_FAILURE(StopIt());
  Write(kXorTable);
  ExpectToReplay();
}

}  // namespace
}  // namespace pilothouse::testing
