// Two native learners that exchange their states through the kind "exchange".
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {
namespace {

constexpr double kGoodEta = 0.3;
constexpr double kBadEta = 1e-9;
constexpr int64_t kBatches = 2000;
constexpr int64_t kExchangeEvery = 100;

// A learner with an eta, as a plugin sees it, and what a loop does with what the plugin asks for.
class MiniRun final : public RunView {
 public:
  MiniRun(std::string id, std::string runs, std::unique_ptr<Learner> learner, double eta, uint64_t seed)
      : id_(std::move(id)),
        runs_(std::move(runs)),
        directory_(runs_ + "/" + id_),
        learner_(std::move(learner)),
        timelines_(BatchSizes{learner_->facts().examples, learner_->facts().batch_size}, {}),
        eta_(eta),
        seed_(seed) {
    std::filesystem::create_directories(directory_);
  }

  void Attach(const std::string& with) {
    const PluginKinds kinds = BuiltInPluginKinds();
    const PluginKind* kind = *kinds.Find("exchange");
    const absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(*kind, {{"with", with}});
    ASSERT_TRUE(settings.ok()) << settings.status();
    PluginSurroundings surroundings;
    surroundings.run_id = id_;
    surroundings.directory = directory_;
    surroundings.runs_directory = runs_;
    surroundings.parameters = learner_->facts().parameters;
    surroundings.validation_examples = learner_->facts().validation_examples;
    surroundings.knobs = {"eta"};
    surroundings.seed = seed_;
    auto plugin = kind->make(*settings, surroundings);
    ASSERT_TRUE(plugin.ok()) << plugin.status();
    plugin_ = *std::move(plugin);
  }

  void Train(int64_t batches) {
    for (int64_t i = 0; i < batches; ++i) {
      loss_ = learner_->Step(++batch_, {.eta = eta_});
      timelines_.Advance(batch_, {}, std::chrono::nanoseconds(0));
    }
  }

  void RunPlugin() {
    PluginContext context(*this, PluginPoint::kAfterBatch, {Timeline::kBatches, batch_ - kExchangeEvery, batch_},
                          false);
    const absl::Status status = plugin_->Run(context);
    ASSERT_TRUE(status.ok()) << status;
    for (const Wish& wish : context.wishes()) Apply(wish.change);
  }

  double FinalLoss() { return Validate()->loss; }
  double eta() const { return eta_; }
  int exchanges() const { return exchanges_; }

  const std::string& run_id() const override { return id_; }
  const std::string& directory() const override { return directory_; }
  int64_t batch() const override { return batch_; }
  int64_t target() const override { return kBatches; }
  double loss() const override { return loss_; }
  absl::StatusOr<double> Knob(absl::string_view name) const override {
    if (name == "eta") return eta_;
    return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, "name", "There is no such knob.");
  }
  const RunTimelines& timelines() const override { return timelines_; }
  std::shared_ptr<const Model> Parameters() override { return learner_->Snapshot(); }
  const std::vector<ParameterBlock>& blocks() const override { return learner_->facts().blocks; }
  NumberArray Gradient() const override { return learner_->Gradient(); }
  std::vector<Activations> LayerActivations() const override { return learner_->LayerActivations(); }
  absl::StatusOr<Validation> Validate() override {
    absl::StatusOr<Validation> made = learner_->Validate(batch_);
    if (made.ok()) validation_ = *made;
    ++validations_;
    return made;
  }
  const std::optional<Validation>& validation() const override { return validation_; }
  int64_t validations() const override { return validations_; }

 private:
  void Apply(const Change& change) {
    if (const auto* knob = std::get_if<KnobChange>(&change)) {
      eta_ = knob->value;
      return;
    }
    const auto& parameters = std::get<ParametersChange>(change);
    const std::string path = directory_ + "/" + parameters.file;
    EXPECT_EQ(*FileHash(path), parameters.sha256);
    const absl::Status loaded = learner_->Load(path);
    EXPECT_TRUE(loaded.ok()) << loaded;
    ++exchanges_;
  }

  const std::string id_;
  const std::string runs_;
  const std::string directory_;
  const std::unique_ptr<Learner> learner_;
  RunTimelines timelines_;
  std::unique_ptr<Plugin> plugin_;
  double eta_;
  const uint64_t seed_;
  int64_t batch_ = 0;
  double loss_ = -1;
  std::optional<Validation> validation_;
  int64_t validations_ = 0;
  int exchanges_ = 0;
};

class PopulationTest : public testing::Test {
 protected:
  ~PopulationTest() override { std::filesystem::remove_all(runs_); }

  // Two classes that a curve tells apart; a seed of their own makes two runs begin differently.
  MiniRun Make(const std::string& id, double eta, uint64_t seed) {
    Dataset data{{400, 2, {}}, {400, 1, {}}};
    for (int row = 0; row < 400; ++row) {
      const double x = std::sin(row * 1.7);
      const double y = std::cos(row * 2.9);
      data.inputs.values.insert(data.inputs.values.end(), {x, y});
      data.targets.values.push_back(x * y > 0 ? 1 : 0);
    }
    LearnerSpec spec;
    spec.network = *ParseShorthand("2x16tx2");
    spec.seed = seed;
    spec.keep_order = true;
    spec.validation_fraction = 0.25;
    auto learner = MakeLearner(spec, std::move(data));
    EXPECT_TRUE(learner.ok()) << learner.status();
    return MiniRun(id, runs_, *std::move(learner), eta, seed);
  }

  double LossAlone(double eta, uint64_t seed) {
    MiniRun run = Make("alone", eta, seed);
    run.Train(kBatches);
    return run.FinalLoss();
  }

  const std::string runs_ = absl::StrCat(testing::TempDir(), "/population-", getpid());
};

TEST_F(PopulationTest, BothRunsEndBetterThanTheWorseAlone) {
  const double good_alone = LossAlone(kGoodEta, 1);
  const double bad_alone = LossAlone(kBadEta, 2);
  ASSERT_LT(good_alone, bad_alone / 2);

  MiniRun good = Make("good", kGoodEta, 1);
  MiniRun bad = Make("bad", kBadEta, 2);
  good.Attach("bad");
  bad.Attach("good");
  for (int64_t batch = 0; batch < kBatches; batch += kExchangeEvery) {
    for (MiniRun* run : {&good, &bad}) {
      run->Train(kExchangeEvery);
      run->RunPlugin();
    }
  }
  EXPECT_LT(good.FinalLoss(), bad_alone / 2);
  EXPECT_LT(bad.FinalLoss(), bad_alone / 2);
  EXPECT_GT(bad.exchanges(), 0);
  EXPECT_GT(bad.eta(), kGoodEta / 100) << "eta came with the parameters";
}

TEST_F(PopulationTest, TheSameStepsInTheSameOrderGiveTheSameBits) {
  const auto end = [&] {
    std::filesystem::remove_all(runs_);
    MiniRun good = Make("good", kGoodEta, 1);
    MiniRun bad = Make("bad", kBadEta, 2);
    good.Attach("bad");
    bad.Attach("good");
    for (int i = 0; i < 5; ++i) {
      for (MiniRun* run : {&good, &bad}) {
        run->Train(kExchangeEvery);
        run->RunPlugin();
      }
    }
    return std::pair(good.Parameters()->State().values, bad.Parameters()->State().values);
  };
  EXPECT_EQ(end(), end());
}

}  // namespace
}  // namespace pilothouse::trainer
