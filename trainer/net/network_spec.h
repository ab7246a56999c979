// What a network is made of: the description, its shorthand, and the checks it must pass before anything is built from
// it.
//
//   absl::StatusOr<NetworkSpec> spec = ParseShorthand("64x128rx10");
//   absl::Status ok = ValidateNetwork(*spec);
//
// Pure and thread-safe. Error fields are relative to RunSpec ("network.layers").
#ifndef PILOTHOUSE_TRAINER_NET_NETWORK_SPEC_H_
#define PILOTHOUSE_TRAINER_NET_NETWORK_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/net/number_array.h"

namespace pilothouse::trainer {

inline constexpr int kMaxShorthandCharacters = 1024;
inline constexpr int64_t kMaxLayerWidth = 65536;
inline constexpr int kMaxLayers = 64;
// 1 GiB of parameters in float32.
inline constexpr int64_t kMaxParameters = int64_t{1} << 28;
inline constexpr double kLeakySlope = 0.01;

// Elementwise, but for softmax, which acts on a whole row and is allowed in the last layer only.
enum class Activation {
  kTanh,
  kRelu,       // max(0, x)
  kSigmoid,    // 1 / (1 + exp(−x))
  kGelu,       // x·Φ(x), with the exact normal distribution function Φ
  kSoftmax,    // exp(x_j) / Σ exp(x)
  kLeakyRelu,  // x where x > 0, else kLeakySlope·x
  kSilu,       // x / (1 + exp(−x))
  kSoftplus,   // log(1 + exp(x))
};

// What is minimised. n: examples in the batch, k: outputs, e = output − target.
enum class LossFunction {
  kCrossEntropy,        // −(1/n) Σ log p[label]; the last layer is linear or softmax
  kBinaryCrossEntropy,  // −(1/(n·k)) Σ (t log p + (1 − t) log(1 − p)); the last layer is linear or sigmoid
  kMse,                 // (1/(n·k)) Σ e²
  kHalfMse,             // (1/(2·n)) Σ e²
  kHuber,               // (1/(n·k)) Σ h(e), with h(e) = e²/2 where |e| <= 1, and |e| − 1/2 beyond
};

// The type the network computes in.
enum class Precision { kFloat32, kFloat64 };

// y = x·W + b, with W of shape [inputs, outputs] and b of shape [outputs].
struct AffineLayer {
  int64_t inputs = 0;
  int64_t outputs = 0;
};

// y = x.
struct IdentityLayer {};

// y = f(x).
struct MapLayer {
  Activation activation = Activation::kTanh;
};

// Every example shifted and scaled to mean 0 and variance 1 over its features, then y = g·x + b, elementwise, with g
// and b of shape [features]; see layer_norm.h.
struct LayerNormLayer {
  int64_t features = 0;
};

// Every feature shifted and scaled to mean 0 and variance 1 over the examples of the batch, then y = g·x + b,
// elementwise, with g and b of shape [features]. Outside training it is shifted and scaled by running statistics of the
// batches that were learnt from; see batch_norm.h.
struct BatchNormLayer {
  int64_t features = 0;
};

// In training y = x/(1 − rate), but 0 for elements drawn at random with probability `rate`, anew in each batch; y = x
// otherwise. See dropout.h.
struct DropoutLayer {
  // 0 <= rate < 1.
  double rate = 0;
};

using Layer = std::variant<AffineLayer, IdentityLayer, MapLayer, LayerNormLayer, DropoutLayer, BatchNormLayer>;

// How the parameters of affine layers begin where no initial_state is given. Layer norms and batch norms begin with
// gains 1 and biases 0.
enum class Initializer {
  kScaled,  // kHe before ReLU, leaky ReLU, GELU, SiLU and softplus, whatever is between; kGlorot elsewhere
  kNormal,  // weights and biases standard normal
  kGlorot,  // biases 0; weights normal with variance 2/(inputs + outputs) of their layer
  kHe,      // biases 0; weights normal with variance 2/inputs of their layer
  kZeros,   // weights and biases 0
};

struct NetworkSpec {
  // In order of computation.
  std::vector<Layer> layers;
  Initializer initializer = Initializer::kScaled;
  // All parameters as a state vector, of shape [parameters].
  std::optional<NumberArray> initial_state;
};

// Reads widths separated by "x", each but the first followed by the letter of its activation: t tanh, r ReLU, s
// sigmoid, g GELU, l leaky ReLU, u SiLU, p softplus, none: linear. Between width and activation an n is a layer norm, a
// b a batch norm; a d and a rate such as 0.5 after them are dropout. Otherwise NET_INVALID with the 1-based position of
// the character that is to blame.
absl::StatusOr<NetworkSpec> ParseShorthand(absl::string_view shorthand);

// OK if there are 1 to kMaxLayers layers, the first is affine, widths and rates lie in range, widths follow from each
// other, softmax is last, and there are at most kMaxParameters parameters: otherwise NET_INVALID. And if initial_state,
// where given, has the shape [parameters] and finite values: otherwise ARRAY_SHAPE_INVALID or DATA_MALFORMED.
absl::Status ValidateNetwork(const NetworkSpec& network);

// NET_LOSS_MISMATCH if the last layer does not go with the loss. REQUIRES: ValidateNetwork is OK.
absl::Status CheckLossFits(const NetworkSpec& network, LossFunction loss);

// REQUIRES for all of these: ValidateNetwork is OK.
int64_t InputCount(const NetworkSpec& network);
int64_t OutputCount(const NetworkSpec& network);
int64_t ParameterCount(const NetworkSpec& network);

// Number of parameters of one layer.
int64_t ParameterCount(const Layer& layer);
// Features of a layer norm or a batch norm; unset for other layers.
std::optional<int64_t> NormFeatures(const Layer& layer);
// "Affine 64→128", "ReLU", "Layer norm", "Batch norm", "Dropout 0.5".
std::string Describe(const Layer& layer);
// "cross_entropy".
std::string Name(LossFunction loss);
// "float32".
std::string Name(Precision precision);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NETWORK_SPEC_H_
