// Test support: a run that is whatever a test says.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_FAKE_RUN_VIEW_H_
#define PILOTHOUSE_TRAINER_PLUGIN_FAKE_RUN_VIEW_H_

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/support/error.h"
#include "trainer/plugin/run_view.h"

namespace pilothouse::trainer {

// Parameters that are what a test says.
class FixedModel final : public Model {
 public:
  FixedModel(std::vector<double> state, bool can_save) : state_(std::move(state)), can_save_(can_save) {}

  NumberArray State() const override { return {{static_cast<int64_t>(state_.size())}, state_}; }
  std::shared_ptr<const Model> With(const NumberArray& state) const override {
    return std::make_shared<FixedModel>(std::get<std::vector<double>>(state.values), can_save_);
  }
  NumberArray Predict(absl::Span<const double>, int64_t rows) const override {
    return {{rows, 0}, std::vector<double>()};
  }
  // The file then holds "<batch>: <values>".
  absl::Status Save(const std::string& path, int64_t batch) const override {
    if (!can_save_) return absl::UnavailableError("no space left on device.");
    std::ofstream file(path);
    file << batch << ":";
    for (const double value : state_) file << " " << value;
    return file.flush() ? absl::OkStatus() : absl::UnavailableError(path + ": cannot be written.");
  }
  // Such a file fits if it holds as many values.
  absl::Status CheckFile(const std::string& path) const override {
    std::ifstream file(path);
    std::string word;
    int64_t words = 0;
    while (file >> word) ++words;
    if (words == 1 + static_cast<int64_t>(state_.size())) return absl::OkStatus();
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", "The parameters are those of another network.");
  }

 private:
  std::vector<double> state_;
  bool can_save_;
};

// Everything a plugin may look at, to be set by the test. 10 examples in batches of 4 (an epoch is 3 batches).
class FakeRunView final : public RunView {
 public:
  std::string id = "test-run";
  std::string run_directory;
  int64_t current_batch = 0;
  int64_t current_target = 1'000'000;
  double current_loss = -1;
  std::map<std::string, double> knobs = {{"eta", 0.1}};
  RunTimelines run_timelines{BatchSizes{10, 4}, std::chrono::steady_clock::time_point()};
  std::vector<double> state = {1, 2, 3};
  bool can_save = true;
  std::vector<ParameterBlock> parameter_blocks = {{"layers.0.weight", {1, 2}, 0, 2}, {"layers.0.bias", {1}, 2, 1}};
  std::vector<double> gradient = {0, 0, 0};
  std::vector<Activations> activations;
  // What the next validation finds. Unset: nothing is held out.
  std::optional<double> next_validation_loss;
  std::optional<double> next_validation_accuracy;
  std::vector<double> next_confusion;
  std::optional<Validation> last_validation;

  // Goes on to `batch`, which takes `each` for every batch on wall and training time.
  void GoTo(int64_t batch, std::chrono::nanoseconds each = std::chrono::milliseconds(1)) {
    const auto took = (batch - current_batch) * each;
    moment_ += took;
    current_batch = batch;
    run_timelines.Advance(batch, moment_, took);
  }

  const std::string& run_id() const override { return id; }
  const std::string& directory() const override { return run_directory; }
  int64_t batch() const override { return current_batch; }
  int64_t target() const override { return current_target; }
  double loss() const override { return current_loss; }
  absl::StatusOr<double> Knob(absl::string_view name) const override {
    const auto knob = knobs.find(std::string(name));
    if (knob != knobs.end()) return knob->second;
    return MakeError(v1::ERROR_REASON_KNOB_UNKNOWN, "name", "There is no such knob.");
  }
  const RunTimelines& timelines() const override { return run_timelines; }
  std::shared_ptr<const Model> Parameters() override { return std::make_shared<FixedModel>(state, can_save); }
  const std::vector<ParameterBlock>& blocks() const override { return parameter_blocks; }
  NumberArray Gradient() const override { return {{static_cast<int64_t>(gradient.size())}, gradient}; }
  std::vector<Activations> LayerActivations() const override { return activations; }
  absl::StatusOr<Validation> Validate() override {
    if (!next_validation_loss.has_value()) {
      return MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, "", "The run holds no examples out.");
    }
    ++validations_made_;
    last_validation = Validation{current_batch, *next_validation_loss, next_validation_accuracy, 5};
    last_validation->confusion = next_confusion;
    return *last_validation;
  }
  const std::optional<Validation>& validation() const override { return last_validation; }
  int64_t validations() const override { return validations_made_; }

 private:
  std::chrono::steady_clock::time_point moment_;
  int64_t validations_made_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_FAKE_RUN_VIEW_H_
