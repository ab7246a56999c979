#include "trainer/optim/update_settings.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace pilothouse::trainer {
namespace {

// What is forgotten from update to update must be something: at 1, averages would stay 0 for ever.
constexpr double kMaxDecay = 0.999999;
// From a float32 above 0, since 0 / 0 is no number, on.
constexpr double kMinEpsilon = 1e-30;
constexpr double kMaxEpsilon = 1;
constexpr double kMaxWeightDecay = 1e6;
// Fits float32.
constexpr double kMaxClip = 1e30;

constexpr SettingFacts kEta{"eta", &UpdateSettings::eta, std::numeric_limits<double>::denorm_min(),
                            std::numeric_limits<double>::max(), "learning rate: how far one update goes"};
constexpr SettingFacts kMomentum{"momentum", &UpdateSettings::momentum, 0, kMaxDecay,
                                 "how much of the last update's velocity is kept"};
constexpr SettingFacts kBeta1{"beta1", &UpdateSettings::beta1, 0, kMaxDecay,
                              "how much of the gradients' running mean is kept"};
constexpr SettingFacts kBeta2{"beta2", &UpdateSettings::beta2, 0, kMaxDecay,
                              "how much of the squared gradients' running mean is kept"};
constexpr SettingFacts kRho{"rho", &UpdateSettings::rho, 0, kMaxDecay,
                            "how much of the squared gradients' running mean is kept"};
constexpr SettingFacts kEpsilon{"epsilon", &UpdateSettings::epsilon, kMinEpsilon, kMaxEpsilon,
                                "is added to the root that an update is divided by"};
constexpr SettingFacts kWeightDecay{"weight_decay", &UpdateSettings::weight_decay, 0, kMaxWeightDecay,
                                    "pulls the parameters towards 0; 0: off"};
constexpr SettingFacts kClipNorm{"clip_norm", &UpdateSettings::clip_norm, 0, kMaxClip,
                                 "greatest norm of the gradient, which is scaled down to it; 0: off"};
constexpr SettingFacts kClipValue{"clip_value", &UpdateSettings::clip_value, 0, kMaxClip,
                                  "greatest magnitude of an element of the gradient; 0: off"};

constexpr SettingFacts kOfGradientDescent[] = {kEta, kWeightDecay, kClipNorm, kClipValue};
constexpr SettingFacts kOfMomentum[] = {kEta, kMomentum, kWeightDecay, kClipNorm, kClipValue};
constexpr SettingFacts kOfAdam[] = {kEta, kBeta1, kBeta2, kEpsilon, kWeightDecay, kClipNorm, kClipValue};
constexpr SettingFacts kOfRmsProp[] = {kEta, kRho, kEpsilon, kWeightDecay, kClipNorm, kClipValue};
constexpr SettingFacts kOfAdagrad[] = {kEta, kEpsilon, kWeightDecay, kClipNorm, kClipValue};
constexpr SettingFacts kAll[] = {kEta, kMomentum, kBeta1, kBeta2, kRho, kEpsilon, kWeightDecay, kClipNorm, kClipValue};

}  // namespace

const char* Name(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kGradientDescent:
      return "gradient_descent";
    case OptimizerKind::kMomentum:
      return "momentum";
    case OptimizerKind::kNesterov:
      return "nesterov";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAdamW:
      return "adamw";
    case OptimizerKind::kRmsProp:
      return "rmsprop";
    case OptimizerKind::kAdagrad:
      return "adagrad";
  }
  return "";
}

absl::Span<const SettingFacts> SettingsOf(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kGradientDescent:
      break;
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
      return kOfMomentum;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      return kOfAdam;
    case OptimizerKind::kRmsProp:
      return kOfRmsProp;
    case OptimizerKind::kAdagrad:
      return kOfAdagrad;
  }
  return kOfGradientDescent;
}

bool IsUpdateSetting(absl::string_view name) {
  return std::any_of(std::begin(kAll), std::end(kAll), [&](const SettingFacts& facts) { return name == facts.name; });
}

UpdateSettings UsualSettings(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kGradientDescent:
      break;
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
      return {.eta = 0.1, .momentum = 0.9};
    case OptimizerKind::kAdam:
      return {.eta = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    case OptimizerKind::kAdamW:
      return {.eta = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.01};
    case OptimizerKind::kRmsProp:
      return {.eta = 0.001, .rho = 0.99, .epsilon = 1e-8};
    case OptimizerKind::kAdagrad:
      return {.eta = 0.01, .epsilon = 1e-10};
  }
  return {};
}

}  // namespace pilothouse::trainer
