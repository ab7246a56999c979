// The engine as a contestant: built from a spec at run time, as for any run.
#ifndef PILOTHOUSE_TESTS_BENCH_LEARNER_CONTESTANT_H_
#define PILOTHOUSE_TESTS_BENCH_LEARNER_CONTESTANT_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "tests/bench/contestant.h"
#include "trainer/loop/supervised_learner.h"

namespace pilothouse::bench {

class LearnerContestant final : public Contestant {
 public:
  LearnerContestant(std::unique_ptr<trainer::Learner> learner, const trainer::UpdateSettings& settings)
      : learner_(std::move(learner)), settings_(settings) {}

  double Run(int64_t batches) override {
    double loss = 0;
    for (const int64_t last = batch_ + batches; batch_ < last;) loss = learner_->Step(++batch_, settings_);
    return loss;
  }

 private:
  const std::unique_ptr<trainer::Learner> learner_;
  const trainer::UpdateSettings settings_;
  int64_t batch_ = 0;
};

inline absl::StatusOr<std::unique_ptr<Contestant>> MakeLearnerContestant(const trainer::LearnerSpec& spec,
                                                                         trainer::Dataset data, double eta) {
  absl::StatusOr<std::unique_ptr<trainer::Learner>> learner = trainer::MakeLearner(spec, std::move(data));
  if (!learner.ok()) return learner.status();
  trainer::UpdateSettings settings = trainer::UsualSettings(spec.optimizer);
  settings.eta = eta;
  return std::make_unique<LearnerContestant>(*std::move(learner), settings);
}

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_LEARNER_CONTESTANT_H_
