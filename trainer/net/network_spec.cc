#include "trainer/net/network_spec.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr char kLayersField[] = "network.layers";
constexpr char kStateField[] = "network.initial_state";

bool IsSoftmax(const Layer& layer) {
  const auto* map = std::get_if<MapLayer>(&layer);
  return map != nullptr && map->activation == Activation::kSoftmax;
}

absl::Status RefuseLayer(size_t index, absl::string_view why, ErrorMetadata metadata = {}) {
  const std::string layer = absl::StrCat(index + 1);
  metadata.emplace_back("layer", layer);
  return MakeError(v1::ERROR_REASON_NET_INVALID, kLayersField, absl::StrCat("Layer ", layer, " ", why, "."), metadata);
}

// `width` is the number of outputs of the layer before, and becomes that of this one.
absl::Status CheckAffine(size_t index, const AffineLayer& affine, int64_t& width) {
  for (const int64_t size : {affine.inputs, affine.outputs}) {
    if (size < 1 || size > kMaxLayerWidth) {
      return RefuseLayer(index, absl::StrCat("has a width of ", size, "; widths lie between 1 and ", kMaxLayerWidth),
                         {{"width", absl::StrCat(size)}});
    }
  }
  if (index > 0 && affine.inputs != width) {
    return RefuseLayer(index,
                       absl::StrCat("takes ", affine.inputs, " inputs, but layer ", index, " before it gives ", width),
                       {{"expected", absl::StrCat(width)}, {"got", absl::StrCat(affine.inputs)}});
  }
  width = affine.outputs;
  return absl::OkStatus();
}

absl::Status CheckNorm(size_t index, int64_t features, int64_t width) {
  if (features == width) return absl::OkStatus();
  return RefuseLayer(index,
                     absl::StrCat("normalises ", features, " features, but layer ", index, " before it gives ", width),
                     {{"expected", absl::StrCat(width)}, {"got", absl::StrCat(features)}});
}

absl::Status CheckDropout(size_t index, const DropoutLayer& dropout) {
  // Not true of NaN.
  if (dropout.rate >= 0 && dropout.rate < 1) return absl::OkStatus();
  return RefuseLayer(index,
                     absl::StrCat("drops at a rate of ", dropout.rate, "; rates lie from 0 up to, but not with, 1"),
                     {{"rate", absl::StrCat(dropout.rate)}});
}

absl::Status CheckLayers(const std::vector<Layer>& layers) {
  if (layers.empty() || layers.size() > static_cast<size_t>(kMaxLayers)) {
    return MakeError(v1::ERROR_REASON_NET_INVALID, kLayersField,
                     absl::StrCat("A network has 1 to ", kMaxLayers, " layers; this one has ", layers.size(), "."),
                     {{"layers", absl::StrCat(layers.size())}});
  }
  if (!std::holds_alternative<AffineLayer>(layers.front())) return RefuseLayer(0, "must be affine, as the first");
  int64_t width = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (const auto* affine = std::get_if<AffineLayer>(&layers[i])) {
      if (absl::Status status = CheckAffine(i, *affine, width); !status.ok()) return status;
    }
    if (const auto features = NormFeatures(layers[i])) {
      if (absl::Status status = CheckNorm(i, *features, width); !status.ok()) return status;
    }
    if (const auto* dropout = std::get_if<DropoutLayer>(&layers[i])) {
      if (absl::Status status = CheckDropout(i, *dropout); !status.ok()) return status;
    }
    if (IsSoftmax(layers[i]) && i + 1 < layers.size()) {
      return RefuseLayer(i, "is softmax, which may only be the last layer");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckInitialState(const NumberArray& state, int64_t parameters) {
  if (state.shape != std::vector<int64_t>{parameters}) {
    const std::string got = absl::StrCat("[", absl::StrJoin(state.shape, ", "), "]");
    return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, kStateField,
                     absl::StrCat("The initial state must have shape [", parameters,
                                  "], one value for each parameter; it has ", got, "."),
                     {{"expected", absl::StrCat("[", parameters, "]")}, {"got", got}});
  }
  return std::visit(
      [](const auto& values) {
        for (size_t i = 0; i < values.size(); ++i) {
          if (std::isfinite(values[i])) continue;
          const std::string position = absl::StrCat(i + 1);
          return MakeError(v1::ERROR_REASON_DATA_MALFORMED, kStateField,
                           absl::StrCat("Value ", position, " of the initial state is not finite."),
                           {{"position", position}});
        }
        return absl::OkStatus();
      },
      state.values);
}

std::string Name(Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return "tanh";
    case Activation::kRelu:
      return "ReLU";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kGelu:
      return "GELU";
    case Activation::kSoftmax:
      return "softmax";
    case Activation::kLeakyRelu:
      return "leaky ReLU";
    case Activation::kSilu:
      return "SiLU";
    case Activation::kSoftplus:
      return "softplus";
  }
  return "";
}

// What the network's outputs have gone through last.
struct LastFunction {
  // Unset: they are linear.
  std::optional<Activation> activation;
  // After it, elements are dropped.
  bool dropout = false;
};

LastFunction LastFunctionOf(const NetworkSpec& network) {
  LastFunction last;
  for (auto layer = network.layers.rbegin(); layer != network.layers.rend(); ++layer) {
    if (std::holds_alternative<IdentityLayer>(*layer)) continue;
    if (const auto* map = std::get_if<MapLayer>(&*layer)) last.activation = map->activation;
    if (!std::holds_alternative<DropoutLayer>(*layer)) break;
    last.dropout = true;
  }
  return last;
}

absl::Status RequireLast(const NetworkSpec& network, LossFunction loss, Activation allowed) {
  const LastFunction last = LastFunctionOf(network);
  if (!last.activation.has_value() || (*last.activation == allowed && !last.dropout)) return absl::OkStatus();
  const std::string name = absl::StrCat(Name(*last.activation), last.dropout ? " and dropout" : "");
  return MakeError(v1::ERROR_REASON_NET_LOSS_MISMATCH, "loss",
                   absl::StrCat("The loss ", Name(loss), " needs a network whose last layer is linear or ",
                                Name(allowed), "; this one ends with ", name, "."),
                   {{"loss", Name(loss)}, {"last", name}});
}

}  // namespace

absl::Status ValidateNetwork(const NetworkSpec& network) {
  if (absl::Status status = CheckLayers(network.layers); !status.ok()) return status;
  // Cannot overflow: kMaxLayers layers of at most kMaxLayerWidth² + kMaxLayerWidth parameters each.
  const int64_t parameters = ParameterCount(network);
  if (parameters > kMaxParameters) {
    return MakeError(
        v1::ERROR_REASON_NET_INVALID, kLayersField,
        absl::StrCat("The network has ", parameters, " parameters; at most ", kMaxParameters, " are possible."),
        {{"parameters", absl::StrCat(parameters)}, {"limit", absl::StrCat(kMaxParameters)}});
  }
  if (!network.initial_state.has_value()) return absl::OkStatus();
  return CheckInitialState(*network.initial_state, parameters);
}

absl::Status CheckLossFits(const NetworkSpec& network, LossFunction loss) {
  switch (loss) {
    case LossFunction::kCrossEntropy:
      if (OutputCount(network) < 2) {
        return MakeError(v1::ERROR_REASON_NET_LOSS_MISMATCH, "loss",
                         "The loss cross_entropy needs one output for each class, so at least 2; for one output "
                         "there is binary_cross_entropy.",
                         {{"loss", Name(loss)}, {"outputs", absl::StrCat(OutputCount(network))}});
      }
      return RequireLast(network, loss, Activation::kSoftmax);
    case LossFunction::kBinaryCrossEntropy:
      return RequireLast(network, loss, Activation::kSigmoid);
    case LossFunction::kMse:
    case LossFunction::kHalfMse:
    case LossFunction::kHuber:
      break;
  }
  return absl::OkStatus();
}

int64_t InputCount(const NetworkSpec& network) { return std::get<AffineLayer>(network.layers.front()).inputs; }

int64_t OutputCount(const NetworkSpec& network) {
  int64_t outputs = 0;
  for (const Layer& layer : network.layers) {
    if (const auto* affine = std::get_if<AffineLayer>(&layer)) outputs = affine->outputs;
  }
  return outputs;
}

int64_t ParameterCount(const NetworkSpec& network) {
  int64_t parameters = 0;
  for (const Layer& layer : network.layers) parameters += ParameterCount(layer);
  return parameters;
}

int64_t ParameterCount(const Layer& layer) {
  if (const auto* affine = std::get_if<AffineLayer>(&layer)) return affine->inputs * affine->outputs + affine->outputs;
  return 2 * NormFeatures(layer).value_or(0);
}

std::optional<int64_t> NormFeatures(const Layer& layer) {
  if (const auto* norm = std::get_if<LayerNormLayer>(&layer)) return norm->features;
  if (const auto* norm = std::get_if<BatchNormLayer>(&layer)) return norm->features;
  return std::nullopt;
}

std::string Describe(const Layer& layer) {
  if (const auto* affine = std::get_if<AffineLayer>(&layer)) {
    return absl::StrCat("Affine ", affine->inputs, "→", affine->outputs);
  }
  if (const auto* map = std::get_if<MapLayer>(&layer)) return Name(map->activation);
  if (std::holds_alternative<LayerNormLayer>(layer)) return "Layer norm";
  if (std::holds_alternative<BatchNormLayer>(layer)) return "Batch norm";
  if (const auto* dropout = std::get_if<DropoutLayer>(&layer)) return absl::StrCat("Dropout ", dropout->rate);
  return "Identity";
}

std::string Name(LossFunction loss) {
  switch (loss) {
    case LossFunction::kCrossEntropy:
      return "cross_entropy";
    case LossFunction::kBinaryCrossEntropy:
      return "binary_cross_entropy";
    case LossFunction::kMse:
      return "mse";
    case LossFunction::kHalfMse:
      return "half_mse";
    case LossFunction::kHuber:
      return "huber";
  }
  return "";
}

std::string Name(Precision precision) { return precision == Precision::kFloat32 ? "float32" : "float64"; }

}  // namespace pilothouse::trainer
