// The plugins that come with the trainer, in a host that is saved and restored: all that they remember comes back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/hosted_fixture.h"

namespace pilothouse::trainer {
namespace {

class RestoringTest : public HostedTest {
 protected:
  RestoringTest() {
    run_.run_directory = absl::StrCat(testing::TempDir(), "/restoring-test-", getpid());
    std::filesystem::create_directories(run_.run_directory);
    surroundings_.directory = run_.run_directory;
    surroundings_.runs_directory = run_.run_directory;
    surroundings_.run_id = run_.id;
    surroundings_.parameters = 3;
    run_.next_validation_loss = 1;
    run_.current_loss = 1;
    NewHost();
  }
  ~RestoringTest() override { std::filesystem::remove_all(run_.run_directory); }

  // Another host, as it was when it was saved.
  void SaveAndRestore() {
    const SavedState saved = SavedStateOf(*host_);
    NewHost();
    const absl::Status restored = host_->Restore(saved);
    ASSERT_TRUE(restored.ok()) << restored;
  }

  // Trains a batch after which a validation finds `loss`.
  void ValidateWith(double loss) {
    run_.next_validation_loss = loss;
    TrainTo(run_.current_batch + 1);
  }

  // The batch whose parameters are the best.
  std::string Best() const {
    std::ifstream file(run_.run_directory + "/saved/best.safetensors");
    std::string batch;
    std::getline(file, batch, ':');
    return batch;
  }
};

TEST_F(RestoringTest, EveryKindRemembersWhatItDid) {
  const std::map<std::string, std::map<std::string, std::string>> needed = {
      {"eta-schedule", {{"etas", "5:0.01"}}},
      {"exchange", {{"with", "another"}}},
      {"stop-after", {{"after", "1000 batches"}}},
      {"stop-when", {{"when", "loss < 2"}, {"for", "1000"}}}};
  for (const auto& [name, kind] : kinds_.all()) {
    PluginSpec spec = Spec(name, needed.count(name) > 0 ? needed.at(name) : std::map<std::string, std::string>());
    if (kind.usual_point == PluginPoint::kAfterBatch && name != "eta-schedule") spec.schedule = "each(2)";
    const absl::StatusOr<std::string> attached = host_->Attach(spec);
    ASSERT_TRUE(attached.ok()) << attached.status();
  }
  TrainTo(10);
  const SavedState saved = SavedStateOf(*host_);
  NewHost();
  const absl::Status restored = host_->Restore(saved);
  ASSERT_TRUE(restored.ok()) << restored;
  const SavedState again = SavedStateOf(*host_);
  EXPECT_EQ(again.texts, saved.texts);
  EXPECT_EQ(HashOfTensors(again), HashOfTensors(saved));
  std::set<std::string> remembering;
  for (const auto& [name, tensor] : saved.tensors) remembering.insert(name);
  const std::set<std::string> all = {
      "plugins.average.state",      "plugins.checkpoint.state", "plugins.early-stopping.state",
      "plugins.eta-schedule.state", "plugins.exchange.state",   "plugins.reduce-eta.state",
      "plugins.save-best.state",    "plugins.stop-after.state", "plugins.stop-when.state"};
  EXPECT_EQ(remembering, all);
}

TEST_F(RestoringTest, TheBestSoFarStaysTheBest) {
  Attach("validate", {});
  Attach("save-best", {});
  ASSERT_TRUE(host_->Reschedule({"validate", "each(1)", std::nullopt}).ok());
  ValidateWith(0.3);
  SaveAndRestore();
  ValidateWith(0.9);
  EXPECT_EQ(Best(), "1");
  ValidateWith(0.3);
  EXPECT_EQ(Best(), "1") << "of equals, the first";
  ValidateWith(0.2);
  EXPECT_EQ(Best(), "4");
}

TEST_F(RestoringTest, AFirstLossThatWasNoNumberDoesNotStandInTheWay) {
  Attach("validate", {});
  Attach("save-best", {});
  ASSERT_TRUE(host_->Reschedule({"validate", "each(1)", std::nullopt}).ok());
  ValidateWith(std::numeric_limits<double>::quiet_NaN());
  SaveAndRestore();
  EXPECT_EQ(Best(), "");
  ValidateWith(0.2);
  EXPECT_EQ(Best(), "2");
}

TEST_F(RestoringTest, PatienceIsNotBegunAnew) {
  Attach("validate", {});
  Attach("early-stopping", {{"patience", "3"}});
  ASSERT_TRUE(host_->Reschedule({"validate", "each(1)", std::nullopt}).ok());
  ValidateWith(0.5);
  for (int i = 0; i < 2; ++i) ValidateWith(0.6);
  SaveAndRestore();
  ValidateWith(0.6);
  EXPECT_TRUE(done_) << "the third without a gain";
}

}  // namespace
}  // namespace pilothouse::trainer
