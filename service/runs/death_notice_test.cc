#include "service/runs/death_notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/exit_code.h"

namespace pilothouse::service {
namespace {

using testing::HasSubstr;
using testing::Not;

Death ToldToEnd(int64_t batch, std::optional<int64_t> checkpoint) {
  Death death;
  death.how = absl::StrCat("exit code ", kExitSuspended);
  death.batch = batch;
  death.checkpoint = checkpoint;
  return death;
}

TEST(DeathNotice, OfATrainerThatWasToldToEndSaysWhereItGoesOn) {
  EXPECT_EQ(
      StartedAgainNotice(ToldToEnd(153119, 153119)),
      "The trainer ended, as it was told to, or since no service came. It is started again from its checkpoint at "
      "batch 153119.");
}

TEST(DeathNotice, TellsNothingOfACheckpointThatMayNotHaveBeenWrittenButWhatIsTrainedAgain) {
  const std::string notice = StartedAgainNotice(ToldToEnd(153119, 75000));
  EXPECT_THAT(notice, Not(HasSubstr("made a checkpoint")));
  EXPECT_THAT(notice, HasSubstr("from its checkpoint at batch 75000, and trains batches 75001 to 153119 again."));
  EXPECT_THAT(StartedAgainNotice(ToldToEnd(10, std::nullopt)), HasSubstr("It is started again from its beginning."));
}

TEST(DeathNotice, OfATrainerThatFailedCountsTheAttempts) {
  Death death = ToldToEnd(40, 30);
  death.how = "killed by signal 9";
  death.restarts = 1;
  death.most = 3;
  EXPECT_EQ(StartedAgainNotice(death),
            "The trainer ended: killed by signal 9. It is started again from its checkpoint at batch 30, attempt 1 of "
            "3, and trains batches 31 to 40 again.");
}

}  // namespace
}  // namespace pilothouse::service
