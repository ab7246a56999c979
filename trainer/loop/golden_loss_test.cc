// The losses that reference networks come to, as tests/golden holds them, to the last bit: what learns otherwise than
// it did is noticed, however well it learns, and so is a processor or a C library that computes otherwise. They are
// compared with every set of kernels that runs here; once more, ctest runs this with the functions that the C library
// has for processors without AVX2 and FMA.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "trainer/kernels/kernels.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::trainer {
namespace {

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
  // Up to which they are compared with the portable kernels, too, whose fused multiply-adds are calls.
  int64_t portable_batches = std::numeric_limits<int64_t>::max();
};

std::string PathOf(const Reference& reference) { return absl::StrCat(PILOTHOUSE_GOLDEN, "/", reference.name, ".txt"); }

// Until the batches are more than `most`.
std::map<int64_t, double> LossesOf(const Reference& reference, Dataset data, int64_t most) {
  const auto learner = MakeLearner(reference.spec, std::move(data));
  EXPECT_TRUE(learner.ok()) << learner.status();
  std::map<int64_t, double> losses;
  if (!learner.ok()) return losses;
  int64_t batch = 0;
  for (const int64_t wanted : reference.batches) {
    if (wanted > most) break;
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

void ExpectGolden(const Reference& reference, const Dataset& data) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  if (std::getenv(kWrite) != nullptr) {
    Write(reference, LossesOf(reference, data, kAll));
    GTEST_SKIP() << "wrote " << PathOf(reference);
  }
  const std::map<int64_t, double> golden = Read(PathOf(reference));
  ASSERT_EQ(golden.size(), reference.batches.size());
  const absl::Cleanup fastest_again = [] { UseKernels(""); };
  for (const std::string name : {"avx512", "avx2", "portable"}) {
    if (!UseKernels(name.c_str())) continue;
    SCOPED_TRACE(name);
    const std::map<int64_t, double> losses =
        LossesOf(reference, data, name == "portable" ? reference.portable_batches : kAll);
    EXPECT_FALSE(losses.empty());
    for (const auto& [batch, loss] : losses) {
      ASSERT_TRUE(golden.contains(batch)) << batch;
      EXPECT_EQ(std::bit_cast<uint64_t>(loss), std::bit_cast<uint64_t>(golden.at(batch)))
          << "at batch " << batch << ": " << loss << ", not " << golden.at(batch);
    }
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
  reference.portable_batches = 2;
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

// Targets of 0 and 1, and inputs that are one of two classes.
Dataset TwoClasses(int64_t rows, int64_t columns) {
  Dataset data = Pictures(rows, columns);
  for (double& target : data.targets.values) target = target < 5 ? 0 : 1;
  for (int64_t row = 0; row < rows; ++row) data.weights.push_back(1 + static_cast<double>(row % 3) / 4);
  return data;
}

TEST(GoldenLoss, OfAWeightedTwoClassNetworkInFloat32) {
  Reference reference = Classifier("binary", "64x48px24gx16ux1", 25);
  reference.description =
      "64x48px24gx16ux1 on 150 generated pictures with weights, binary_cross_entropy, float32, RMSProp";
  reference.spec.loss = LossFunction::kBinaryCrossEntropy;
  reference.spec.optimizer = OptimizerKind::kRmsProp;
  reference.settings = UsualSettings(OptimizerKind::kRmsProp);
  reference.settings.eta = 0.003;
  reference.batches = {1, 2, 3, 5, 6, 7, 10, 20, 40, 80};
  ExpectGolden(reference, TwoClasses(150, 64));
}

}  // namespace
}  // namespace pilothouse::trainer
