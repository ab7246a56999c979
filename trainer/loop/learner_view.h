// The run as its plugins see it.
#ifndef PILOTHOUSE_TRAINER_LOOP_LEARNER_VIEW_H_
#define PILOTHOUSE_TRAINER_LOOP_LEARNER_VIEW_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/checkpoint/saved_state.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/run_state.h"
#include "trainer/plugin/run_view.h"

namespace pilothouse::trainer {

// Copies and measures at most once for each state of the parameters. Used on the training thread.
class LearnerView final : public RunView, public Stateful {
 public:
  // What is referred to outlives the view.
  LearnerView(std::string run_id, std::string directory, const RunState& run, Learner& learner)
      : run_id_(std::move(run_id)), directory_(std::move(directory)), run_(run), learner_(learner) {}

  const std::string& run_id() const override { return run_id_; }
  const std::string& directory() const override { return directory_; }
  int64_t batch() const override { return run_.batch; }
  int64_t target() const override { return run_.target.batch(); }
  double loss() const override { return run_.loss; }
  absl::StatusOr<double> Knob(absl::string_view name) const override;
  const RunTimelines& timelines() const override { return run_.timelines; }

  std::shared_ptr<const Model> Parameters() override;
  const std::vector<ParameterBlock>& blocks() const override { return learner_.facts().blocks; }
  NumberArray Gradient() const override { return learner_.Gradient(); }
  std::vector<Activations> LayerActivations() const override { return learner_.LayerActivations(); }

  absl::StatusOr<Validation> Validate() override;
  const std::optional<Validation>& validation() const override { return validation_; }
  int64_t validations() const override { return validations_; }
  // For whoever asks, and not for the run: nothing that plugins see or a checkpoint holds changes.
  const absl::StatusOr<Validation>& Scores(HeldOutPart part);

  // As text "view": the newest validation.
  void Save(SavedState& state) const override;
  absl::Status Restore(const SavedState& state) override;

  // The parameters are others than before: the run has learnt.
  void Forget() {
    parameters_.reset();
    validation_is_current_ = false;
    scores_.clear();
  }
  // Foreign parameters took the place of the run's: what was measured says nothing of these.
  void Replaced() {
    Forget();
    validation_.reset();
  }

 private:
  const std::string run_id_;
  const std::string directory_;
  const RunState& run_;
  Learner& learner_;

  // Null: nobody has asked yet.
  std::shared_ptr<const Model> parameters_;
  std::optional<Validation> validation_;
  bool validation_is_current_ = false;
  int64_t validations_ = 0;
  std::map<HeldOutPart, absl::StatusOr<Validation>> scores_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_LEARNER_VIEW_H_
