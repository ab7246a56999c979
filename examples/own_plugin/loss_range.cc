#include "examples/own_plugin/loss_range.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/plugin.h"

namespace pilothouse::examples {
namespace {

using trainer::Plugin;
using trainer::PluginContext;
using trainer::PluginSettings;
using trainer::PluginSurroundings;

constexpr int64_t kMaxWindow = 10'000;

class LossRange final : public Plugin {
 public:
  LossRange(int64_t window, double tolerance, double factor)
      : window_(static_cast<size_t>(window)), tolerance_(tolerance), factor_(factor) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return absl::OkStatus();
    losses_.push_back(context.run().loss());
    if (losses_.size() > window_) losses_.pop_front();
    const auto [lowest, highest] = std::minmax_element(losses_.begin(), losses_.end());
    context.Report({.values = {{"lowest", *lowest}, {"highest", *highest}}, .histograms = {}, .message = ""});
    if (losses_.back() <= tolerance_ * *lowest) return absl::OkStatus();
    const absl::StatusOr<double> eta = context.run().Knob("eta");
    if (!eta.ok()) return eta.status();
    // Not done here and now: it is a control like a person's, journaled with this batch.
    context.Ask(trainer::KnobChange{"eta", *eta * factor_}, absl::StrCat("the loss went up to ", losses_.back()));
    losses_.clear();
    return absl::OkStatus();
  }

  // A run that goes on from a checkpoint remembers the losses, too.
  std::string Save() const override {
    return absl::StrJoin(losses_, " ",
                         [](std::string* text, double loss) { absl::StrAppendFormat(text, "%.17g", loss); });
  }
  absl::Status Restore(absl::string_view state) override {
    losses_.clear();
    for (const absl::string_view word : absl::StrSplit(state, ' ', absl::SkipEmpty())) {
      double loss = 0;
      if (!absl::SimpleAtod(word, &loss)) return absl::DataLossError("The losses it remembered cannot be read.");
      losses_.push_back(loss);
    }
    return absl::OkStatus();
  }

 private:
  const size_t window_;
  const double tolerance_;
  const double factor_;
  std::deque<double> losses_;
};

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings&) {
  const absl::StatusOr<int64_t> window = settings.Integer("window", 1, kMaxWindow);
  if (!window.ok()) return window.status();
  const absl::StatusOr<double> tolerance = settings.Number("tolerance", 1, 1e6);
  if (!tolerance.ok()) return tolerance.status();
  const absl::StatusOr<double> factor = settings.Number("factor", 1e-6, 1);
  if (!factor.ok()) return factor.status();
  return std::make_unique<LossRange>(*window, *tolerance, *factor);
}

}  // namespace

trainer::PluginKind LossRangeKind() {
  trainer::PluginKind kind;
  kind.name = "loss-range";
  kind.description = "Reports how far the loss goes up and down, and lowers eta where it goes up too far.";
  kind.settings = {{"window", "how many looks back, 1 to 10000", "20"},
                   {"tolerance", "how many times the lowest loss is too much, 1 or more", "2"},
                   {"factor", "what eta is multiplied by then, at most 1", "0.5"}};
  kind.usual_schedule = "each(10)";
  kind.make = Make;
  return kind;
}

}  // namespace pilothouse::examples
