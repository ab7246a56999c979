// What a learning step takes from the heap: nothing.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {
thread_local int64_t allocations = 0;
}  // namespace

// Stands in front of the C library's, so that everything which allocates is counted: new, Eigen, the library itself.
extern "C" void* __libc_malloc(size_t size);  // NOLINT(bugprone-reserved-identifier)
extern "C" void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}

namespace pilothouse::trainer {
namespace {

LearnerSpec Spec(const std::string& network) {
  LearnerSpec spec;
  spec.network = *ParseShorthand(network);
  spec.standardize = true;
  return spec;
}

void ExpectNoAllocations(const LearnerSpec& spec, int64_t examples, int64_t batches) {
  const auto learner = MakeLearner(spec, Curve(examples));
  ASSERT_TRUE(learner.ok()) << learner.status();
  UpdateSettings settings = UsualSettings(spec.optimizer);
  settings.clip_norm = 1;
  settings.clip_value = 0.1;
  settings.weight_decay = 0.01;
  for (int64_t batch = 1; batch <= batches; ++batch) {
    const int64_t before = allocations;
    (*learner)->Step(batch, settings);
    if (batch > 1) {
      ASSERT_EQ(allocations, before) << "at batch " << batch;
    }
  }
}

TEST(SupervisedLearnerAllocations, AreCounted) {
  const auto learner = MakeLearner(Spec("2x8rx2"), Curve(10));
  ASSERT_TRUE(learner.ok()) << learner.status();
  const int64_t before = allocations;
  (*learner)->Snapshot();
  EXPECT_GT(allocations, before);
}

TEST(SupervisedLearnerAllocations, AreNoneOnceWarmWhateverTheLayers) {
  for (const char* network : {"2x64rx32x8", "2x64nlx32ux8", "2x64td0.5x32pd0.1x8", "2x64bud0.5x32nlx32bgd0.1x8"}) {
    for (const bool full_batch : {false, true}) {
      SCOPED_TRACE(network);
      LearnerSpec spec = Spec(network);
      spec.full_batch = full_batch;
      // Into a second epoch.
      const int64_t batches = full_batch ? 4 : 40;
      ExpectNoAllocations(spec, 1000, batches);
      spec.precision = Precision::kFloat64;
      ExpectNoAllocations(spec, 1000, batches);
    }
  }
}

TEST(SupervisedLearnerAllocations, AreNoneOnceWarmWhateverTheOptimizer) {
  for (const OptimizerKind optimizer : kAllOptimizers) {
    SCOPED_TRACE(Name(optimizer));
    LearnerSpec spec = Spec("2x4tx2");
    spec.optimizer = optimizer;
    spec.precision = Precision::kFloat64;
    ExpectNoAllocations(spec, 50, 70);
  }
}

}  // namespace
}  // namespace pilothouse::trainer

#endif
