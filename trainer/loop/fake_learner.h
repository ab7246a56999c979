// Test support: a learner that learns nothing, at a given pace, with given losses.
#ifndef PILOTHOUSE_TRAINER_LOOP_FAKE_LEARNER_H_
#define PILOTHOUSE_TRAINER_LOOP_FAKE_LEARNER_H_

#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/support/error.h"
#include "trainer/loop/learner.h"

namespace pilothouse::trainer {

// Its state vector is [batch]; its predictions are the inputs times the batch.
class FakeModel final : public Model {
 public:
  FakeModel(int64_t batch, bool can_save, std::function<void(int64_t rows)> on_predict = nullptr)
      : batch_(batch), can_save_(can_save), on_predict_(std::move(on_predict)) {}

  NumberArray State() const override { return {{1}, std::vector<double>{static_cast<double>(batch_)}}; }

  NumberArray Predict(absl::Span<const double> inputs, int64_t rows) const override {
    if (on_predict_ != nullptr) on_predict_(rows);
    std::vector<double> outputs(inputs.begin(), inputs.end());
    for (double& output : outputs) output *= static_cast<double>(batch_);
    return {{rows, rows > 0 ? static_cast<int64_t>(inputs.size()) / rows : 0}, std::move(outputs)};
  }

  std::shared_ptr<const Model> With(const NumberArray& state) const override {
    const double batch = std::get<std::vector<double>>(state.values).at(0);
    return std::make_shared<FakeModel>(static_cast<int64_t>(batch), can_save_, on_predict_);
  }

  // Writes the batch it is given, which Load() then takes for the parameters.
  absl::Status Save(const std::string& path, int64_t batch) const override {
    if (!can_save_) return absl::UnavailableError("no space left on device.");
    std::ofstream(path) << batch;
    return absl::OkStatus();
  }
  absl::Status CheckFile(const std::string&) const override { return absl::OkStatus(); }

 private:
  int64_t batch_;
  bool can_save_;
  std::function<void(int64_t)> on_predict_;
};

class FakeLearner final : public Learner {
 public:
  // Called at the end of a step: what happens meanwhile.
  std::function<void(int64_t batch)> on_step = [](int64_t) {};
  std::function<double(int64_t batch)> loss = [](int64_t batch) { return 1.0 / static_cast<double>(batch); };
  bool can_save = true;
  // Called at the beginning of each prediction, on whatever thread.
  std::function<void(int64_t rows)> on_predict;
  LearnerFacts learner_facts{.examples = 4,
                             .validation_examples = 0,
                             .test_examples = 0,
                             .inputs = 2,
                             .outputs = 2,
                             .parameters = 1,
                             .batches_per_epoch = 1,
                             .batch_size = 4,
                             .layers = {},
                             .blocks = {{"layers.0.weight", {1}, 0, 1}}};
  // What a validation finds, where learner_facts has examples held out.
  std::function<double(int64_t batch)> validation_loss = [](int64_t batch) { return 1.0 / static_cast<double>(batch); };
  std::optional<double> validation_accuracy;
  std::vector<double> gradient = {0};
  std::vector<Activations> activations;

  void Reset() override { batch_ = 0; }

  void Save(SavedState& state) const override {
    const auto copy = std::make_shared<const double>(static_cast<double>(batch_));
    state.tensors[kTensor] = TensorOf(copy.get(), {1}, copy);
  }

  absl::Status Restore(const SavedState& state) override {
    const SavedTensor* tensor = FindTensor(state, kTensor, TensorType::kFloat64, {1});
    if (tensor == nullptr) return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", "The state is of another learner.");
    double batch = 0;
    std::memcpy(&batch, tensor->bytes.data(), sizeof(batch));
    batch_ = static_cast<int64_t>(batch);
    return absl::OkStatus();
  }

  double Step(int64_t batch, const UpdateSettings& settings) override {
    batch_ = batch;
    settings_.push_back(settings);
    on_step(batch);
    return loss(batch);
  }

  std::shared_ptr<const Model> Snapshot() const override {
    ++snapshots_;
    return std::make_shared<FakeModel>(batch_, can_save, on_predict);
  }

  absl::Status Load(const std::string& path) override {
    std::ifstream file(path);
    if (!file) return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "", path + " cannot be opened.");
    int64_t saved = 0;
    if (!(file >> saved)) return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", path + " holds no number.");
    batch_ = saved;
    return absl::OkStatus();
  }

  NumberArray Gradient() const override { return {{static_cast<int64_t>(gradient.size())}, gradient}; }
  std::vector<Activations> LayerActivations() const override { return activations; }

  absl::StatusOr<Validation> Validate(int64_t batch) override {
    ++validations_;
    if (learner_facts.validation_examples > 0) {
      return Validation{batch, validation_loss(batch), validation_accuracy, learner_facts.validation_examples};
    }
    return MakeError(v1::ERROR_REASON_NO_VALIDATION_DATA, "", "The run holds no examples out.");
  }

  absl::StatusOr<Validation> Test(int64_t batch) override {
    ++tests_;
    if (learner_facts.test_examples > 0) {
      return Validation{batch, validation_loss(batch), validation_accuracy, learner_facts.test_examples};
    }
    return MakeError(v1::ERROR_REASON_NO_TEST_DATA, "", "The run keeps no examples for the end.");
  }

  const LearnerFacts& facts() const override { return learner_facts; }

  // Those of each step that was made.
  const std::vector<UpdateSettings>& settings() const { return settings_; }
  std::vector<double> etas() const {
    std::vector<double> etas;
    for (const UpdateSettings& settings : settings_) etas.push_back(settings.eta);
    return etas;
  }
  int snapshots() const { return snapshots_; }
  int validations() const { return validations_; }
  int tests() const { return tests_; }

 private:
  static constexpr char kTensor[] = "layers.0.weight";

  // The state vector: the last step's batch, or what was loaded after it.
  int64_t batch_ = 0;
  std::vector<UpdateSettings> settings_;
  int validations_ = 0;
  int tests_ = 0;
  mutable int snapshots_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_FAKE_LEARNER_H_
