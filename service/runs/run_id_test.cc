#include "service/runs/run_id.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

TEST(RunId, NamesOfLowerCaseLettersDigitsAndDashesAreTaken) {
  for (const char* id : {"a", "7", "digits", "mnist-3", "0-a-"}) EXPECT_TRUE(CheckRunId(id).ok()) << id;
  EXPECT_TRUE(CheckRunId(std::string(63, 'a')).ok());
}

TEST(RunId, EverythingElseIsRefusedWithTheReason) {
  for (const char* id : {"", "-a", "A", "a b", "a/b", "..", "a.b", "ä", "a\n", "a_b"}) {
    EXPECT_EQ(ReasonOf(CheckRunId(id)), v1::ERROR_REASON_RUN_ID_INVALID) << id;
  }
  EXPECT_EQ(ReasonOf(CheckRunId(std::string(64, 'a'))), v1::ERROR_REASON_RUN_ID_INVALID);
}

TEST(RunId, NamesThatTheServiceMakesAreValidAndDiffer) {
  for (uint64_t i = 0; i < 2000; ++i) EXPECT_TRUE(CheckRunId(MakeRunId(i * 7919)).ok());
  EXPECT_NE(MakeRunId(1), MakeRunId(2));
  EXPECT_NE(MakeRunId(0), MakeRunId(1024));
}

}  // namespace
}  // namespace pilothouse::service
