// The losses that reference networks come to, as tests/golden holds them: what learns otherwise than it did is noticed,
// however well it learns.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::trainer {
namespace {

// Whether the same spec and data give the same bits on every processor. Where they need not, the losses may differ by
// what another order of summation and another exp and tanh make of the last digits in so many batches.
constexpr bool kSameBitsEverywhere = false;
constexpr double kTolerance32 = kSameBitsEverywhere ? 0 : 1e-5;
constexpr double kTolerance64 = kSameBitsEverywhere ? 0 : 1e-12;

// With this in the environment, the files are written instead, and the tests are skipped: for whoever has meant to
// change what is computed.
constexpr char kWrite[] = "PILOTHOUSE_WRITE_GOLDEN";

struct Reference {
  // Of the file.
  std::string name;
  // Its first line says so.
  std::string description = {};
  LearnerSpec spec = {};
  UpdateSettings settings = {};
  std::vector<int64_t> batches = {};
};

std::string PathOf(const Reference& reference) { return absl::StrCat(PILOTHOUSE_GOLDEN, "/", reference.name, ".txt"); }

std::map<int64_t, double> LossesOf(const Reference& reference, Dataset data) {
  const auto learner = MakeLearner(reference.spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  std::map<int64_t, double> losses;
  if (!learner.ok()) return losses;
  int64_t batch = 0;
  for (const int64_t wanted : reference.batches) {
    while (batch < wanted) losses[wanted] = (*learner)->Step(++batch, reference.settings);
  }
  return losses;
}

void Write(const Reference& reference, const std::map<int64_t, double>& losses) {
  std::ofstream file(PathOf(reference));
  file << "# " << reference.description << "\n";
  for (const auto& [batch, loss] : losses) {
    char text[64];
    std::snprintf(text, sizeof(text), "%a", loss);
    file << batch << " " << text << "\n";
  }
}

// Each line but those that begin with #: a batch and its loss, in hexadecimal, so that every bit is there.
std::map<int64_t, double> Read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::map<int64_t, double> losses;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    int64_t batch = 0;
    std::string loss;
    words >> batch >> loss;
    losses[batch] = std::strtod(loss.c_str(), nullptr);
  }
  return losses;
}

void ExpectGolden(const Reference& reference, Dataset data) {
  const std::map<int64_t, double> losses = LossesOf(reference, std::move(data));
  if (std::getenv(kWrite) != nullptr) {
    Write(reference, losses);
    GTEST_SKIP() << "wrote " << PathOf(reference);
  }
  const std::map<int64_t, double> golden = Read(PathOf(reference));
  ASSERT_EQ(golden.size(), reference.batches.size());
  const double tolerance = reference.spec.precision == Precision::kFloat32 ? kTolerance32 : kTolerance64;
  for (const int64_t batch : reference.batches) {
    ASSERT_TRUE(golden.contains(batch)) << batch;
    EXPECT_NEAR(losses.at(batch), golden.at(batch), tolerance * golden.at(batch)) << "at batch " << batch;
  }
}

// Pictures of `pixels` numbers: in those of class c, every tenth pixel from c on is lit, in noise. Whole numbers and
// one division, so that they are the same everywhere.
Dataset Pictures(int64_t rows, int64_t pixels) {
  Dataset data{{rows, pixels, {}}, {rows, 1, {}}};
  uint64_t random = 1;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t label = row * 7 % 10;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const double noise = static_cast<double>(random >> 40) / (1 << 24);
      data.inputs.values.push_back(2 * noise + (pixel % 10 == label ? 0.5 : 0) - 1);
    }
    data.targets.values.push_back(static_cast<double>(label));
  }
  return data;
}

Reference Classifier(std::string name, const std::string& shorthand, int64_t batch_size) {
  Reference reference{.name = std::move(name)};
  reference.spec.network = *ParseShorthand(shorthand);
  reference.spec.batch_size = batch_size;
  reference.spec.seed = 3;
  reference.settings.eta = 0.1;
  return reference;
}

TEST(GoldenLoss, OfTheXorNetwork) {
  Reference reference{
      .name = "xor", .description = "2x2tx1t from 0.1, 0.2 … 0.9 on the four XOR patterns, half_mse, float64, eta 0.1"};
  reference.spec.network = *ParseShorthand("2x2tx1t");
  reference.spec.network.initial_state = NumberArray{{9}, std::vector<double>{.1, .2, .3, .4, .5, .6, .7, .8, .9}};
  reference.spec.loss = LossFunction::kHalfMse;
  reference.spec.precision = Precision::kFloat64;
  reference.spec.full_batch = true;
  reference.settings.eta = 0.1;
  reference.batches = {1, 2, 3, 5, 10, 20, 50, 51, 100, 200, 500, 1000, 1500, 2000};
  ExpectGolden(reference, {{4, 2, {-.5, -.5, -.5, .5, .5, .5, .5, -.5}}, {4, 1, {-.5, .5, -.5, .5}}});
}

TEST(GoldenLoss, OfASmallClassifierInFloat32) {
  Reference reference = Classifier("small", "64x128rx64rx10", 32);
  reference.description = "64x128rx64rx10 on 500 generated pictures, cross_entropy, float32, batches of 32, shuffled";
  reference.batches = {1, 2, 3, 5, 10, 16, 17, 20, 30, 40};
  ExpectGolden(reference, Pictures(500, 64));
}

TEST(GoldenLoss, OfALargeClassifierInFloat32) {
  Reference reference = Classifier("large", "784x1024rx1024rx10", 128);
  reference.description =
      "784x1024rx1024rx10 on 300 generated pictures, cross_entropy, float32, batches of 128, 128, 44";
  reference.batches = {1, 2, 3, 4};
  ExpectGolden(reference, Pictures(300, 784));
}

TEST(GoldenLoss, OfANetworkWithNormsAndDropoutInFloat64) {
  Reference reference = Classifier("mixed", "64x32bgd0.2x24nud0.1x16tx10", 30);
  reference.description =
      "64x32bgd0.2x24nud0.1x16tx10 on 200 generated pictures, cross_entropy, float64, Adam with weight decay, clipped";
  reference.spec.precision = Precision::kFloat64;
  reference.spec.standardize = true;
  reference.spec.optimizer = OptimizerKind::kAdam;
  reference.settings = UsualSettings(OptimizerKind::kAdam);
  reference.settings.eta = 0.01;
  reference.settings.weight_decay = 0.001;
  reference.settings.clip_norm = 1;
  reference.batches = {1, 2, 3, 5, 7, 10, 20, 30, 50};
  ExpectGolden(reference, Pictures(200, 64));
}

}  // namespace
}  // namespace pilothouse::trainer
