#include "trainer/net/network_spec.h"

#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

NetworkSpec Net(std::vector<Layer> layers) {
  NetworkSpec network;
  network.layers = std::move(layers);
  return network;
}

std::string DescribeAll(const NetworkSpec& network) {
  std::string all;
  for (const Layer& layer : network.layers) absl::StrAppend(&all, Describe(layer), "; ");
  return all;
}

TEST(Shorthand, StandsForAffineLayersAndTheirActivations) {
  const auto network = ParseShorthand("2x3tx4rx5sx6gx7lx8ux9px10");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(DescribeAll(*network),
            "Affine 2→3; tanh; Affine 3→4; ReLU; Affine 4→5; sigmoid; Affine 5→6; GELU; Affine 6→7; leaky ReLU; "
            "Affine 7→8; SiLU; Affine 8→9; softplus; Affine 9→10; ");
  EXPECT_TRUE(ValidateNetwork(*network).ok());
  EXPECT_EQ(InputCount(*network), 2);
  EXPECT_EQ(OutputCount(*network), 10);
  EXPECT_EQ(ParameterCount(*network), 9 + 16 + 25 + 36 + 49 + 64 + 81 + 100);
}

TEST(Shorthand, PutsNormsBeforeActivations) {
  const auto batch_norms = ParseShorthand("2x3bsx4bd0.5");
  ASSERT_TRUE(batch_norms.ok()) << batch_norms.status();
  EXPECT_EQ(DescribeAll(*batch_norms), "Affine 2→3; Batch norm; sigmoid; Affine 3→4; Batch norm; Dropout 0.5; ");
  EXPECT_TRUE(ValidateNetwork(*batch_norms).ok());
  EXPECT_EQ(ParameterCount(*batch_norms), 9 + 6 + 16 + 8);
  const auto network = ParseShorthand("2x3nrx4n");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(DescribeAll(*network), "Affine 2→3; Layer norm; ReLU; Affine 3→4; Layer norm; ");
  EXPECT_TRUE(ValidateNetwork(*network).ok());
  EXPECT_EQ(ParameterCount(*network), 9 + 6 + 16 + 8);
}

TEST(Shorthand, PutsDropoutLast) {
  const auto network = ParseShorthand("2x3nrd0.5x4d0x5td.25x1d0.125");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(DescribeAll(*network),
            "Affine 2→3; Layer norm; ReLU; Dropout 0.5; Affine 3→4; Dropout 0; Affine 4→5; tanh; Dropout 0.25; "
            "Affine 5→1; Dropout 0.125; ");
  EXPECT_TRUE(ValidateNetwork(*network).ok());
  EXPECT_EQ(ParameterCount(network->layers[3]), 0);
}

TEST(Shorthand, TakesTheWidestLayers) { EXPECT_TRUE(ParseShorthand("65536x1").ok()); }

struct Malformed {
  std::string shorthand;
  int position;
};

TEST(Shorthand, SaysWhichCharacterIsToBlame) {
  std::string deep = "1";
  for (int i = 0; i < 64; ++i) deep += "x1";
  const Malformed cases[] = {
      {"", 1},
      {"x", 1},
      {"-2x1", 1},
      {" 2x1", 1},
      {"0x1", 1},
      {"65537x1", 1},
      {"99999999999999999999x1", 1},
      {"2", 2},
      {"2tx1", 2},
      {"2nx1", 2},
      {"2x1rn", 5},
      {"2x1nn", 5},
      {"2bx1", 2},
      {"2x1bn", 5},
      {"2x1nb", 5},
      {"2x1rb", 5},
      {"2d0.5x1", 2},
      {"2x1d", 5},
      {"2x1dx1", 5},
      {"2x1d1", 5},
      {"2x1d-0.5", 5},
      {"2x1d0.5.5", 5},
      {"2x1d.", 5},
      {"2x1d1e-3", 5},
      {"2x1d0e-3", 6},
      {"2x1d0.5r", 8},
      {"2x1d0.5d0.5", 8},
      {"2 x1", 2},
      {"2X1", 2},
      {"2é1", 2},
      {"2x", 3},
      {"2xx1", 3},
      {"2xt", 3},
      {"2x0", 3},
      {"2x1tt", 5},
      {"2x1q", 4},
      {"2x1tx", 6},
      {"2x1.5", 4},
      {deep + "x1", 2 * 64 + 2 + 1},
      {std::string(1025, '1'), 1025},
      {std::string(1024, '1'), 1},
  };
  for (const auto& [shorthand, position] : cases) {
    const auto network = ParseShorthand(shorthand);
    ASSERT_FALSE(network.ok()) << shorthand;
    EXPECT_EQ(ReasonOf(network.status()), v1::ERROR_REASON_NET_INVALID) << shorthand;
    const v1::Error error = ToError(network.status());
    EXPECT_EQ(error.field(), "network.shorthand");
    EXPECT_EQ(error.metadata().at("position"), absl::StrCat(position)) << shorthand << ": " << error.message();
  }
  EXPECT_TRUE(ParseShorthand(deep).ok());
}

TEST(NetworkSpec, RefusesLayersThatDoNotFitAndSaysWhich) {
  const Layer tanh = MapLayer{Activation::kTanh};
  const Layer softmax = MapLayer{Activation::kSoftmax};
  const struct {
    NetworkSpec network;
    std::string layer;
  } cases[] = {
      {Net({IdentityLayer{}, AffineLayer{1, 1}}), "1"},
      {Net({tanh}), "1"},
      {Net({AffineLayer{0, 1}}), "1"},
      {Net({AffineLayer{1, 65537}}), "1"},
      {Net({AffineLayer{1, -1}}), "1"},
      {Net({AffineLayer{2, 3}, tanh, AffineLayer{2, 1}}), "3"},
      {Net({AffineLayer{2, 3}, IdentityLayer{}, AffineLayer{4, 1}}), "3"},
      {Net({AffineLayer{2, 3}, softmax, IdentityLayer{}}), "2"},
      {Net({AffineLayer{2, 3}, softmax, LayerNormLayer{3}}), "2"},
      {Net({LayerNormLayer{2}, AffineLayer{2, 3}}), "1"},
      {Net({AffineLayer{2, 3}, LayerNormLayer{2}}), "2"},
      {Net({AffineLayer{2, 3}, tanh, LayerNormLayer{0}}), "3"},
      {Net({BatchNormLayer{2}, AffineLayer{2, 3}}), "1"},
      {Net({AffineLayer{2, 3}, BatchNormLayer{2}}), "2"},
      {Net({AffineLayer{2, 3}, softmax, BatchNormLayer{3}}), "2"},
      {Net({DropoutLayer{0.5}, AffineLayer{2, 3}}), "1"},
      {Net({AffineLayer{2, 3}, DropoutLayer{1}}), "2"},
      {Net({AffineLayer{2, 3}, tanh, DropoutLayer{-0.1}}), "3"},
      {Net({AffineLayer{2, 3}, DropoutLayer{std::numeric_limits<double>::quiet_NaN()}}), "2"},
      {Net({AffineLayer{2, 3}, softmax, DropoutLayer{0.5}}), "2"},
  };
  for (const auto& [network, layer] : cases) {
    const absl::Status status = ValidateNetwork(network);
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NET_INVALID) << DescribeAll(network);
    EXPECT_EQ(ToError(status).metadata().at("layer"), layer) << status;
  }
}

TEST(NetworkSpec, HasOneToSixtyFourLayersAndABoundedNumberOfParameters) {
  EXPECT_EQ(ReasonOf(ValidateNetwork(Net({}))), v1::ERROR_REASON_NET_INVALID);
  std::vector<Layer> layers(64, MapLayer{Activation::kTanh});
  layers[0] = AffineLayer{1, 1};
  EXPECT_TRUE(ValidateNetwork(Net(layers)).ok());
  layers.push_back(IdentityLayer{});
  EXPECT_EQ(ReasonOf(ValidateNetwork(Net(layers))), v1::ERROR_REASON_NET_INVALID);
  EXPECT_EQ(ReasonOf(ValidateNetwork(Net({AffineLayer{65536, 65536}}))), v1::ERROR_REASON_NET_INVALID);
}

TEST(NetworkSpec, TakesAnInitialStateOfTheRightShapeAndFinite) {
  NetworkSpec network = Net({AffineLayer{1, 1}});
  network.initial_state = NumberArray{{2}, std::vector<double>{1, 2}};
  EXPECT_TRUE(ValidateNetwork(network).ok());
  network.initial_state = NumberArray{{3}, std::vector<float>{1, 2, 3}};
  const absl::Status wrong_length = ValidateNetwork(network);
  EXPECT_EQ(ReasonOf(wrong_length), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ToError(wrong_length).metadata().at("expected"), "[2]");
  network.initial_state = NumberArray{{1, 2}, std::vector<float>{1, 2}};
  EXPECT_EQ(ReasonOf(ValidateNetwork(network)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  network.initial_state = NumberArray{{2}, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}};
  const absl::Status not_finite = ValidateNetwork(network);
  EXPECT_EQ(ReasonOf(not_finite), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ToError(not_finite).metadata().at("position"), "2");
}

TEST(NetworkSpec, KnowsWhichLastLayersGoWithWhichLoss) {
  const LossFunction losses[] = {LossFunction::kCrossEntropy, LossFunction::kBinaryCrossEntropy, LossFunction::kMse,
                                 LossFunction::kHalfMse, LossFunction::kHuber};
  const struct {
    Layer last;
    std::vector<bool> fits;
  } cases[] = {
      {IdentityLayer{}, {true, true, true, true, true}},
      {MapLayer{Activation::kSoftmax}, {true, false, true, true, true}},
      {MapLayer{Activation::kSigmoid}, {false, true, true, true, true}},
      {MapLayer{Activation::kTanh}, {false, false, true, true, true}},
      {MapLayer{Activation::kRelu}, {false, false, true, true, true}},
      {MapLayer{Activation::kGelu}, {false, false, true, true, true}},
      {MapLayer{Activation::kLeakyRelu}, {false, false, true, true, true}},
      {MapLayer{Activation::kSilu}, {false, false, true, true, true}},
      {LayerNormLayer{3}, {true, true, true, true, true}},
      {BatchNormLayer{3}, {true, true, true, true, true}},
      {DropoutLayer{0.5}, {true, true, true, true, true}},
      {MapLayer{Activation::kSoftplus}, {false, false, true, true, true}},
  };
  for (const auto& [last, fits] : cases) {
    for (int i = 0; i < 5; ++i) {
      const absl::Status status = CheckLossFits(Net({AffineLayer{2, 3}, last}), losses[i]);
      EXPECT_EQ(status.ok(), fits[i]) << Describe(last) << " with " << Name(losses[i]);
      if (!fits[i]) {
        EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NET_LOSS_MISMATCH);
      }
    }
  }
  // What counts is the function the outputs went through, not the layer's place.
  const NetworkSpec hidden = Net({AffineLayer{2, 3}, MapLayer{Activation::kTanh}, IdentityLayer{}});
  EXPECT_EQ(ReasonOf(CheckLossFits(hidden, LossFunction::kCrossEntropy)), v1::ERROR_REASON_NET_LOSS_MISMATCH);
  // And that probabilities are dropped is no way to end.
  const NetworkSpec dropped = Net({AffineLayer{2, 3}, MapLayer{Activation::kSigmoid}, DropoutLayer{0.5}});
  const absl::Status mismatch = CheckLossFits(dropped, LossFunction::kBinaryCrossEntropy);
  EXPECT_EQ(ReasonOf(mismatch), v1::ERROR_REASON_NET_LOSS_MISMATCH);
  EXPECT_EQ(ToError(mismatch).metadata().at("last"), "sigmoid and dropout");
  EXPECT_TRUE(CheckLossFits(dropped, LossFunction::kMse).ok());
  EXPECT_EQ(ReasonOf(CheckLossFits(Net({AffineLayer{2, 1}}), LossFunction::kCrossEntropy)),
            v1::ERROR_REASON_NET_LOSS_MISMATCH);
}

}  // namespace
}  // namespace pilothouse::trainer
