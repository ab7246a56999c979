// What of the service's directory is taken for a run.
#include "service/runs/run_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "proto/support/error.h"
#include "service/journal/journal_testing.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_end.h"

namespace pilothouse::service {
namespace {

class RunStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.Prepare().ok());
    RunToStart run;
    run.run_id = "digits";
    ASSERT_TRUE(store_.Create(run).ok());
  }

  TemporaryDirectory directory_;
  const std::unique_ptr<DatasetStore> datasets_ = *DatasetStore::Open(directory_.path(), 1 << 20);
  const RunStore store_{{.directory = directory_.File("runs"),
                         .trainer_program = "trainer",
                         .trainer_address = "unix:/nowhere",
                         .orphan_timeout = absl::Hours(1)},
                        *datasets_};
};

TEST_F(RunStoreTest, ARunIsLoadedFromTheDirectoryOfItsName) {
  const absl::StatusOr<StoredRun> stored = store_.Load("digits");
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->run.run_id(), "digits");
  EXPECT_EQ(stored->run.directory(), directory_.File("runs/digits"));
}

TEST_F(RunStoreTest, ACopyOfARunIsNotTakenForIt) {
  std::filesystem::copy(directory_.File("runs/digits"), directory_.File("runs/copy"),
                        std::filesystem::copy_options::recursive);
  EXPECT_EQ(store_.RunIds().size(), 2U);
  const absl::StatusOr<StoredRun> copy = store_.Load("copy");
  ASSERT_EQ(ReasonOf(copy.status()), v1::ERROR_REASON_JOURNAL_FAILED);
  EXPECT_TRUE(absl::StrContains(copy.status().message(), "holds the run digits")) << copy.status();
  EXPECT_TRUE(store_.Load("digits").ok());
  const v1::Run listed = store_.Unreadable("copy", copy.status());
  EXPECT_EQ(listed.run_id(), "copy");
  EXPECT_EQ(listed.status(), v1::RUN_STATUS_FAILED);
  EXPECT_TRUE(absl::StrContains(listed.status_message(), "give it the name of its run")) << listed.status_message();
}

TEST_F(RunStoreTest, OfARunWhoseJournalCannotBeReadItsEndIsStillTold) {
  std::ofstream(directory_.File("runs/digits/run.db"), std::ios::trunc) << "no journal";
  std::ofstream(directory_.File("runs/digits/") + kRunEndFile)
      << R"({"status": "STOPPED", "message": "", "batch": 500, "loss": 0.25})";
  const v1::Run listed = store_.Unreadable("digits", store_.Load("digits").status());
  EXPECT_EQ(listed.status(), v1::RUN_STATUS_FAILED);
  EXPECT_EQ(listed.batch(), 500);
  EXPECT_EQ(listed.loss(), 0.25);
  EXPECT_TRUE(absl::StrContains(listed.status_message(), "It had ended as STOPPED at batch 500."))
      << listed.status_message();
}

}  // namespace
}  // namespace pilothouse::service
