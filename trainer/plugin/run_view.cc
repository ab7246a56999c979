#include "trainer/plugin/run_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

using OptionalNumber = std::optional<double>;

struct View {
  const char* name;
  OptionalNumber (*value)(const RunView& run);
};

// −1, which stands for a loss before any batch, is not to be taken for one.
OptionalNumber Loss(const RunView& run) { return run.batch() > 0 ? OptionalNumber(run.loss()) : std::nullopt; }

OptionalNumber ValidationLoss(const RunView& run) {
  return run.validation().has_value() ? OptionalNumber(run.validation()->loss) : std::nullopt;
}

template <OptionalNumber Validation::*score>
OptionalNumber OfValidation(const RunView& run) {
  return run.validation().has_value() ? (*run.validation()).*score : std::nullopt;
}

template <Timeline timeline>
OptionalNumber OnTimeline(const RunView& run) {
  return run.timelines().Value(timeline);
}

constexpr View kViews[] = {
    {"batch", [](const RunView& run) { return OptionalNumber(static_cast<double>(run.batch())); }},
    {"target", [](const RunView& run) { return OptionalNumber(static_cast<double>(run.target())); }},
    {"loss", Loss},
    {"examples", OnTimeline<Timeline::kExamples>},
    {"epoch", OnTimeline<Timeline::kEpochs>},
    {"wall_time", OnTimeline<Timeline::kWallTime>},
    {"training_time", OnTimeline<Timeline::kTrainingTime>},
    {"validation_loss", ValidationLoss},
    {"validation_accuracy", OfValidation<&Validation::accuracy>},
    {"validation_balanced_accuracy", OfValidation<&Validation::balanced_accuracy>},
    {"validation_roc_auc", OfValidation<&Validation::roc_auc>},
    {"validation_r2", OfValidation<&Validation::r2>},
    {"validation_mae", OfValidation<&Validation::mae>},
};

}  // namespace

absl::StatusOr<std::optional<double>> RunView::Value(absl::string_view name) const {
  for (const View& view : kViews) {
    if (name == view.name) return view.value(*this);
  }
  const absl::StatusOr<double> knob = Knob(name);
  if (knob.ok()) return OptionalNumber(*knob);
  const std::string known = absl::StrJoin(ViewNames(), ", ");
  return MakeError(v1::ERROR_REASON_PLUGIN_SETTING_INVALID, "",
                   absl::StrCat("A run has no \"", name, "\" to look at. It has: ", known, ", and its knobs."),
                   {{"value", std::string(name)}, {"known", known}});
}

const std::vector<std::string>& ViewNames() {
  static const std::vector<std::string>* const names = [] {
    auto* all = new std::vector<std::string>();
    for (const View& view : kViews) all->push_back(view.name);
    return all;
  }();
  return *names;
}

}  // namespace pilothouse::trainer
