#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/classifiers.h"
#include "tests/bench/contestant.h"
#include "tests/bench/learner_contestant.h"

namespace pilothouse::bench {
namespace {

// Small, so that the random labels are not learnt by heart within a measurement.
constexpr double kEta = 0.001;

absl::StatusOr<std::unique_ptr<Contestant>> Ours(const Classifier& classifier, bool shuffled) {
  const absl::StatusOr<trainer::NetworkSpec> network = trainer::ParseShorthand(classifier.Shorthand());
  if (!network.ok()) return network.status();
  trainer::LearnerSpec spec;
  spec.network = *network;
  spec.loss = trainer::LossFunction::kCrossEntropy;
  spec.precision = trainer::Precision::kFloat32;
  spec.batch_size = classifier.batch_size;
  spec.keep_order = !shuffled;
  return MakeLearnerContestant(
      spec, RandomExamples(classifier.examples, classifier.widths.front(), classifier.widths.back()), kEta);
}

}  // namespace

std::vector<Entry> ClassifierEntries() {
  std::vector<Entry> entries;
  for (const Classifier& classifier : Classifiers()) {
    // The losses of the two belong to different batches: subjects of their own.
    entries.push_back({classifier.Subject() + "/ours", [=] { return Ours(classifier, false); }});
    entries.push_back({classifier.Subject() + "-shuffled/ours", [=] { return Ours(classifier, true); }});
  }
  return entries;
}

}  // namespace pilothouse::bench
