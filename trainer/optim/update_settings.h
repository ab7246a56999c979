// What an update is made with besides the gradient: the kind of rule, and numbers that may differ from batch to batch.
#ifndef PILOTHOUSE_TRAINER_OPTIM_UPDATE_SETTINGS_H_
#define PILOTHOUSE_TRAINER_OPTIM_UPDATE_SETTINGS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace pilothouse::trainer {

enum class OptimizerKind { kGradientDescent, kMomentum, kNesterov, kAdam, kAdamW, kRmsProp, kAdagrad };

// The settings of every kind; a kind looks at those alone that SettingsOf lists for it.
struct UpdateSettings {
  double eta = 0.1;
  double momentum = 0;
  double beta1 = 0;
  double beta2 = 0;
  double rho = 0;
  double epsilon = 0;
  // Each of these is off where it is 0.
  double weight_decay = 0;
  double clip_norm = 0;
  double clip_value = 0;
};

// A setting as it is declared to others. Bounds are inclusive and finite.
struct SettingFacts {
  const char* name;
  double UpdateSettings::*value;
  double minimum;
  double maximum;
  const char* description;
};

// "gradient_descent", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad". Constant.
const char* Name(OptimizerKind kind);

// What the kind can be told; eta is the first. Constant.
absl::Span<const SettingFacts> SettingsOf(OptimizerKind kind);

// Whether it is a setting of any kind.
bool IsUpdateSetting(absl::string_view name);

// What a run of this kind begins with where its spec says nothing else.
UpdateSettings UsualSettings(OptimizerKind kind);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_UPDATE_SETTINGS_H_
