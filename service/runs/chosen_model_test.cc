// Which file of parameters a choice means.
#include "service/runs/chosen_model.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "service/runs/checkpoint_testing.h"

namespace pilothouse::service {
namespace {

class ChosenModelTest : public CheckpointFixture {
 protected:
  void Keep(int64_t batch, std::optional<double> validation_loss, int64_t bytes = 1) {
    v1::CheckpointReport report = ReportOf(batch);
    report.set_bytes(bytes);
    report.set_sha256(absl::StrCat("hash of ", batch));
    if (validation_loss.has_value()) report.set_validation_loss(*validation_loss);
    CheckpointFixture::Keep(report);
  }
  void Save(const std::string& name) {
    std::filesystem::create_directory(directory_.File(kSavedFolder));
    Touch(absl::StrCat(kSavedFolder, "/", name));
  }
  absl::StatusOr<std::vector<ChosenModel>> FindAll(v1::Model model, const std::string& file = "") const {
    v1::ModelChoice choice;
    choice.set_model(model);
    choice.set_saved_file(file);
    return FindModel(place_, run_, choice);
  }
  // Where one file is all there is.
  absl::StatusOr<ChosenModel> Find(v1::Model model, const std::string& file = "") const {
    const absl::StatusOr<std::vector<ChosenModel>> found = FindAll(model, file);
    if (!found.ok()) return found.status();
    EXPECT_EQ(found->size(), 1U);
    return found->front();
  }
};

TEST_F(ChosenModelTest, TheBestIsWhatSaveBestWroteAndElseTheCheckpointWithTheLowestValidationLoss) {
  EXPECT_EQ(ReasonOf(Find(v1::MODEL_BEST).status()), v1::ERROR_REASON_NO_PARAMETERS);
  Keep(10, 0.5);
  Keep(20, 0.25);
  Keep(30, 0.25);
  Keep(40, std::numeric_limits<double>::quiet_NaN());
  Keep(50, std::nullopt);
  const absl::StatusOr<ChosenModel> checkpoint = Find(v1::MODEL_BEST);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->used.file(), FileOf(20));  // of equals, the first
  EXPECT_EQ(checkpoint->used.batch(), 20);
  EXPECT_EQ(checkpoint->used.model(), v1::MODEL_BEST);
  Save(kBestFile);
  const absl::StatusOr<ChosenModel> saved = Find(v1::MODEL_BEST);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->used.file(), "saved/best.safetensors");
  EXPECT_EQ(saved->path, directory_.File("saved/best.safetensors"));
}

TEST_F(ChosenModelTest, ABetterCheckpointOfABranchIsNotTheBest) {
  Keep(10, 0.5);
  Keep(20, 0.1);
  v1::Branch& branch = *run_.add_branches();
  branch.set_name("rewind-1");
  branch.set_from_batch(15);
  branch.set_through_batch(20);
  EXPECT_EQ(Find(v1::MODEL_BEST)->used.batch(), 10);
}

TEST_F(ChosenModelTest, TheLastAreThoseOfTheNewestCheckpoint) {
  EXPECT_EQ(ReasonOf(Find(v1::MODEL_LAST).status()), v1::ERROR_REASON_NO_PARAMETERS);
  Keep(10, 0.5);
  Keep(20, 0.7);
  const absl::StatusOr<ChosenModel> last = Find(v1::MODEL_UNSPECIFIED);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->used.model(), v1::MODEL_LAST);
  EXPECT_EQ(last->used.file(), FileOf(20));
  EXPECT_EQ(last->path, directory_.File(FileOf(20)));
}

TEST_F(ChosenModelTest, ACheckpointComesWithTheHashOfWhatWasWrittenAndADamagedOneHasNoStandIn) {
  Keep(10, 0.5);
  Keep(20, 0.25, 2);
  Keep(30, 0.75, 2);
  EXPECT_EQ(Find(v1::MODEL_BEST)->used.file(), FileOf(20));
  EXPECT_EQ(Find(v1::MODEL_BEST)->sha256, "hash of 20");
  EXPECT_EQ(Find(v1::MODEL_LAST)->used.file(), FileOf(30));
  EXPECT_EQ(Find(v1::MODEL_LAST)->sha256, "hash of 30");
  Save(kBestFile);
  EXPECT_EQ(Find(v1::MODEL_BEST)->sha256, "") << "of what plugins save the journal knows no hash";
}

TEST_F(ChosenModelTest, ACheckpointThatIsGoneIsPassedOverAndItIsSaidWhoseParametersTheOthersAre) {
  Keep(10, 0.5);
  Keep(20, 0.25);
  std::filesystem::remove(directory_.File(FileOf(20)));
  for (const v1::Model model : {v1::MODEL_LAST, v1::MODEL_BEST}) {
    EXPECT_EQ(Find(model)->used.file(), FileOf(10));
    EXPECT_EQ(Find(model)->used.batch(), 10);
  }
}

TEST_F(ChosenModelTest, OfACheckpointItsTwinWillDoAsWell) {
  for (const std::string name : {"first", "second"}) {
    v1::CheckpointReport report = ReportOf(20);
    report.set_file(absl::StrCat("checkpoints/", name));
    report.set_state_sha256("state");
    report.set_validation_loss(0.5);
    CheckpointFixture::Keep(report);
  }
  const auto files = [&](v1::Model model) {
    std::vector<std::string> names;
    const std::vector<ChosenModel> found = FindAll(model).value();
    for (const ChosenModel& one : found) names.push_back(one.used.file());
    return names;
  };
  EXPECT_EQ(files(v1::MODEL_LAST), (std::vector<std::string>{"checkpoints/second", "checkpoints/first"}));
  EXPECT_EQ(files(v1::MODEL_BEST), (std::vector<std::string>{"checkpoints/first", "checkpoints/second"}));
}

TEST_F(ChosenModelTest, ASavedFileIsFoundByItsNameAndOthersAreNamedWhereItIsNot) {
  const absl::StatusOr<ChosenModel> none = Find(v1::MODEL_UNSPECIFIED, "auc.safetensors");
  EXPECT_EQ(ReasonOf(none.status()), v1::ERROR_REASON_NO_PARAMETERS);
  Save("auc.safetensors");
  EXPECT_EQ(Find(v1::MODEL_UNSPECIFIED, "auc.safetensors")->used.file(), "saved/auc.safetensors");
  const v1::Error error = ToError(Find(v1::MODEL_BEST, "acu.safetensors").status());
  EXPECT_EQ(error.field(), "model.saved_file");
  EXPECT_EQ(error.metadata().at("known"), "auc.safetensors");
}

}  // namespace
}  // namespace pilothouse::service
