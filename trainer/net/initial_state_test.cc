#include "trainer/net/initial_state.h"

#include <gtest/gtest.h>

namespace pilothouse::trainer {
namespace {

// Root of the mean of squares of `state` from `begin` to `end`.
double Deviation(const Vector<double>& state, int64_t begin, int64_t end) {
  return std::sqrt(state.segment(begin, end - begin).squaredNorm() / static_cast<double>(end - begin));
}

TEST(InitialState, IsScaledByWhatFollowsALayer) {
  const NetworkSpec network = *ParseShorthand("100x200rx100tx100gx100lx100ux100px50");
  const Vector<double> state = InitialState<double>(network, 1);
  ASSERT_EQ(state.size(), ParameterCount(network));
  const struct {
    int64_t inputs, outputs;
    double deviation;
  } layers[] = {{100, 200, std::sqrt(2.0 / 100)}, {200, 100, std::sqrt(2.0 / 300)}, {100, 100, std::sqrt(2.0 / 100)},
                {100, 100, std::sqrt(2.0 / 100)}, {100, 100, std::sqrt(2.0 / 100)}, {100, 100, std::sqrt(2.0 / 100)},
                {100, 50, std::sqrt(2.0 / 150)}};
  int64_t offset = 0;
  for (const auto& [inputs, outputs, deviation] : layers) {
    const int64_t biases = offset + inputs * outputs;
    EXPECT_NEAR(Deviation(state, offset, biases) / deviation, 1, 0.05);
    EXPECT_EQ(Deviation(state, biases, biases + outputs), 0);
    offset = biases + outputs;
  }
}

TEST(InitialState, NormalHasVarianceOneInWeightsAndBiases) {
  NetworkSpec network = *ParseShorthand("50x400");
  network.initializer = Initializer::kNormal;
  const Vector<double> state = InitialState<double>(network, 1);
  EXPECT_NEAR(Deviation(state, 0, 20'000), 1, 0.03);
  EXPECT_NEAR(Deviation(state, 20'000, 20'400), 1, 0.15);
}

TEST(InitialState, GlorotAndHeDependOnTheWidthsAlone) {
  for (const char* shorthand : {"50x150", "50x150r", "50x150t"}) {
    NetworkSpec network = *ParseShorthand(shorthand);
    network.initializer = Initializer::kGlorot;
    const Vector<double> glorot = InitialState<double>(network, 1);
    network.initializer = Initializer::kHe;
    const Vector<double> he = InitialState<double>(network, 1);
    EXPECT_NEAR(Deviation(glorot, 0, 7'500) / std::sqrt(2.0 / 200), 1, 0.03) << shorthand;
    EXPECT_NEAR(Deviation(he, 0, 7'500) / std::sqrt(2.0 / 50), 1, 0.03) << shorthand;
    EXPECT_EQ(Deviation(glorot, 7'500, 7'650), 0);
    EXPECT_EQ(Deviation(he, 7'500, 7'650), 0);
  }
}

TEST(InitialState, NormsBeginWithGainOneAndBiasZeroWhateverTheInitializer) {
  for (const char* shorthand : {"100x50nrx2", "100x50brx2"}) {
    NetworkSpec network = *ParseShorthand(shorthand);
    for (const auto initializer : {Initializer::kScaled, Initializer::kNormal, Initializer::kZeros}) {
      network.initializer = initializer;
      const Vector<double> state = InitialState<double>(network, 1);
      EXPECT_EQ(state.segment(5'050, 50), Vector<double>::Ones(50));
      EXPECT_EQ(state.segment(5'100, 50), Vector<double>::Zero(50));
    }
    network.initializer = Initializer::kScaled;
    EXPECT_NEAR(Deviation(InitialState<double>(network, 1), 0, 5'000) / std::sqrt(2.0 / 100), 1, 0.03)
        << "as before ReLU";
  }
}

TEST(InitialState, ZerosAreZerosWithoutASign) {
  NetworkSpec network = *ParseShorthand("3x4tx1");
  network.initializer = Initializer::kZeros;
  const Vector<float> state = InitialState<float>(network, 1);
  ASSERT_EQ(state.size(), ParameterCount(network));
  for (const float value : state) EXPECT_TRUE(value == 0 && !std::signbit(value)) << value;
}

TEST(InitialState, DependsOnTheSeedAloneAndIsAlikeInBothPrecisions) {
  const NetworkSpec network = *ParseShorthand("8x16tx4");
  EXPECT_EQ(InitialState<double>(network, 3), InitialState<double>(network, 3));
  EXPECT_NE(InitialState<double>(network, 3), InitialState<double>(network, 4));
  EXPECT_EQ(InitialState<float>(network, 3), InitialState<double>(network, 3).cast<float>());
}

TEST(InitialState, IsWhatTheSpecGives) {
  NetworkSpec network = *ParseShorthand("1x1");
  network.initial_state = NumberArray{{2}, std::vector<double>{0.1, -7}};
  EXPECT_EQ(InitialState<double>(network, 3), Vector<double>({{0.1}, {-7}}));
  EXPECT_EQ(InitialState<float>(network, 3), Vector<float>({{0.1F}, {-7}}));
}

}  // namespace
}  // namespace pilothouse::trainer
