#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "tests/bench/contestant.h"
#include "tests/bench/learner_contestant.h"

namespace pilothouse::bench {
namespace {

constexpr double kEta = 0.1;
constexpr int kRows = 4;
constexpr double kInputs[kRows][2] = {{-0.5, -0.5}, {-0.5, 0.5}, {0.5, 0.5}, {0.5, -0.5}};
constexpr double kTargets[kRows] = {-0.5, 0.5, -0.5, 0.5};

absl::StatusOr<std::unique_ptr<Contestant>> Ours() {
  const absl::StatusOr<trainer::NetworkSpec> network = trainer::ParseShorthand("2x2tx1t");
  if (!network.ok()) return network.status();
  trainer::LearnerSpec spec;
  spec.network = *network;
  spec.network.initial_state =
      trainer::NumberArray{{9}, std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}};
  spec.loss = trainer::LossFunction::kHalfMse;
  spec.precision = trainer::Precision::kFloat64;
  spec.full_batch = true;
  trainer::Dataset data{{kRows, 2, {}}, {kRows, 1, {}}};
  for (int row = 0; row < kRows; ++row) {
    data.inputs.values.insert(data.inputs.values.end(), {kInputs[row][0], kInputs[row][1]});
    data.targets.values.push_back(kTargets[row]);
  }
  return MakeLearnerContestant(spec, std::move(data), kEta);
}

// What somebody would write who wants this one network and no other, in scalars: all sizes are known when it is
// compiled, nothing lies in memory that need not, and tanh is the C library's. Compiled with -O3.
class ByHand final : public Contestant {
 public:
  double Run(int64_t batches) override {
    double loss = 0;
    for (int64_t batch = 0; batch < batches; ++batch) loss = Step();
    return loss;
  }

 private:
  double Step() {
    double dw00 = 0, dw01 = 0, dw10 = 0, dw11 = 0, db0 = 0, db1 = 0, dv0 = 0, dv1 = 0, dc = 0;
    double sum = 0;
    for (int row = 0; row < kRows; ++row) {
      const double x0 = kInputs[row][0];
      const double x1 = kInputs[row][1];
      const double h0 = std::tanh(x0 * w00_ + x1 * w10_ + b0_);
      const double h1 = std::tanh(x0 * w01_ + x1 * w11_ + b1_);
      const double y = std::tanh(h0 * v0_ + h1 * v1_ + c_);
      const double error = y - kTargets[row];
      sum += error * error;
      const double dy = error / kRows * (1 - y * y);
      dv0 += h0 * dy;
      dv1 += h1 * dy;
      dc += dy;
      const double dh0 = dy * v0_ * (1 - h0 * h0);
      const double dh1 = dy * v1_ * (1 - h1 * h1);
      dw00 += x0 * dh0;
      dw01 += x0 * dh1;
      dw10 += x1 * dh0;
      dw11 += x1 * dh1;
      db0 += dh0;
      db1 += dh1;
    }
    w00_ -= kEta * dw00;
    w01_ -= kEta * dw01;
    w10_ -= kEta * dw10;
    w11_ -= kEta * dw11;
    b0_ -= kEta * db0;
    b1_ -= kEta * db1;
    v0_ -= kEta * dv0;
    v1_ -= kEta * dv1;
    c_ -= kEta * dc;
    return sum / (2 * kRows);
  }

  // The first layer's weights from input i to unit j and biases, then the second layer's.
  double w00_ = 0.1, w01_ = 0.2, w10_ = 0.3, w11_ = 0.4, b0_ = 0.5, b1_ = 0.6;
  double v0_ = 0.7, v1_ = 0.8, c_ = 0.9;
};

}  // namespace

std::vector<Entry> XorEntries() {
  return {{"2x2tx1t@4/ours", Ours},
          {"2x2tx1t@4/by-hand", [] { return std::unique_ptr<Contestant>(std::make_unique<ByHand>()); }}};
}

}  // namespace pilothouse::bench
