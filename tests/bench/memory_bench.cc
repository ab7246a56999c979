// The most memory that a training of 784-1024-1024-10 in batches of 128 needs, against what must be kept: parameters,
// gradients, the optimizer's state, two batches of activations, and 64 MiB for the program. One line for each
// optimizer: its name, the peak of the resident set, and what is allowed, in bytes. Each is measured in a process of
// its own.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/bench/classifiers.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::bench {
namespace {

constexpr int64_t kBatches = 6;
constexpr int64_t kProgramBytes = int64_t{64} << 20;

Classifier Large() { return {{784, 1024, 1024, 10}, 128, 256}; }

// Numbers that an optimizer keeps for each parameter.
int64_t KeptNumbers(trainer::OptimizerKind kind) {
  switch (kind) {
    case trainer::OptimizerKind::kGradientDescent:
      return 0;
    case trainer::OptimizerKind::kAdam:
    case trainer::OptimizerKind::kAdamW:
      return 2;
    default:
      return 1;
  }
}

int64_t AllowedBytes(trainer::OptimizerKind kind) {
  const Classifier classifier = Large();
  int64_t parameters = 0;
  int64_t activations = 0;
  for (size_t i = 1; i < classifier.widths.size(); ++i) {
    parameters += (classifier.widths[i - 1] + 1) * classifier.widths[i];
    activations += classifier.batch_size * classifier.widths[i];
  }
  constexpr auto kNumber = static_cast<int64_t>(sizeof(float));
  return kNumber * ((2 + KeptNumbers(kind)) * parameters + 2 * activations) + kProgramBytes;
}

void Train(trainer::OptimizerKind kind) {
  const Classifier classifier = Large();
  trainer::LearnerSpec spec;
  const auto network = trainer::ParseShorthand(classifier.Shorthand());
  if (!network.ok()) std::abort();
  spec.network = *network;
  spec.optimizer = kind;
  spec.batch_size = classifier.batch_size;
  const auto learner = trainer::MakeLearner(
      spec, RandomExamples(classifier.examples, classifier.widths.front(), classifier.widths.back()));
  if (!learner.ok()) std::abort();
  const trainer::UpdateSettings settings = trainer::UsualSettings(kind);
  for (int64_t batch = 1; batch <= kBatches; ++batch) (*learner)->Step(batch, settings);
}

// Of a child that does nothing but train; -1 if it failed.
int64_t PeakBytes(trainer::OptimizerKind kind) {
  const pid_t child = fork();
  if (child == 0) {
    Train(kind);
    _exit(EXIT_SUCCESS);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || status != 0) return -1;
  return int64_t{1024} * usage.ru_maxrss;
}

int Main() {
  bool allowed = true;
  for (const trainer::OptimizerKind kind : trainer::kAllOptimizers) {
    const int64_t peak = PeakBytes(kind);
    if (peak < 0) return EXIT_FAILURE;
    std::cout << trainer::Name(kind) << " " << peak << " " << AllowedBytes(kind) << std::endl;
    allowed = allowed && peak <= AllowedBytes(kind);
  }
  return allowed ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace pilothouse::bench

int main() { return pilothouse::bench::Main(); }
