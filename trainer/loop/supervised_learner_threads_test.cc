// How many threads compute, and that nothing shows of it.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "proto/support/error.h"
#include "trainer/kernels/thread_team.h"
#include "trainer/loop/curve_data.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/optim/rule_kinds.h"

namespace pilothouse::trainer {
namespace {

// Wide enough that products are shared, with everything that learns in it.
LearnerSpec Spec(int threads) {
  LearnerSpec spec;
  spec.network = *ParseShorthand("2x150btx96nrd0.1x2");
  spec.batch_size = 64;
  spec.threads = threads;
  return spec;
}

NumberArray Trained(const LearnerSpec& spec, int64_t batches) {
  const absl::StatusOr<std::unique_ptr<Learner>> learner = MakeLearner(spec, Curve(300));
  EXPECT_TRUE(learner.ok()) << learner.status();
  for (int64_t batch = 1; batch <= batches; ++batch) (*learner)->Step(batch, UsualSettings(spec.optimizer));
  return (*learner)->Snapshot()->State();
}

TEST(SupervisedLearnerThreads, GiveTheSameBits) {
  for (const OptimizerKind optimizer : {OptimizerKind::kGradientDescent, OptimizerKind::kAdam}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
      LearnerSpec spec = Spec(1);
      spec.optimizer = optimizer;
      spec.precision = precision;
      const NumberArray alone = Trained(spec, 12);
      for (const int threads : {2, 4}) {
        SCOPED_TRACE(std::string(Name(optimizer)) + ", threads: " + std::to_string(threads));
        spec.threads = threads;
        EXPECT_EQ(Trained(spec, 12).values, alone.values);
      }
    }
  }
}

TEST(SupervisedLearnerThreads, MustBeANumberThatThereCanBe) {
  for (const int threads : {-1, 0, kMaxThreads + 1}) {
    const auto learner = MakeLearner(Spec(threads), Curve(300));
    EXPECT_EQ(ReasonOf(learner.status()), v1::ERROR_REASON_SPEC_INVALID);
    EXPECT_NE(learner.status().message().find("threads must lie between 1 and 64"), std::string::npos)
        << learner.status();
  }
}

}  // namespace
}  // namespace pilothouse::trainer
