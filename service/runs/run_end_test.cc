#include "service/runs/run_end.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "service/journal/journal_testing.h"

namespace pilothouse::service {
namespace {

std::optional<RunEnd> Read(const std::string& content) {
  const TemporaryDirectory directory;
  std::ofstream(directory.File(kRunEndFile), std::ios::binary) << content;
  return ReadRunEnd(directory.path());
}

TEST(RunEnd, SaysHowTheTrainerEnded) {
  const auto end = Read(R"({"status": "COMPLETED", "message": "early-stop: good enough", "batch": 500, "loss": 0.25})");
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->status, v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(end->message, "early-stop: good enough");
  EXPECT_EQ(end->batch, 500);
  EXPECT_EQ(end->loss, 0.25);
  EXPECT_EQ(Read(R"({"status": "STOPPED", "batch": 0, "loss": -1})")->status, v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(Read(R"({"status": "FAILED", "batch": 3, "loss": 1})")->status, v1::RUN_STATUS_FAILED);
}

TEST(RunEnd, ALossThatJsonCannotHoldIsNull) {
  const auto end = Read(R"({"status": "STOPPED", "batch": 7, "loss": null})");
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(std::isnan(end->loss));
}

TEST(RunEnd, WhatIsNotUnderstoodIsAsIfItWereNotThere) {
  const TemporaryDirectory empty;
  EXPECT_FALSE(ReadRunEnd(empty.path()).has_value());
  for (const std::string& content :
       {std::string(), std::string("{\"status\": \"STOP"), std::string("[]"), std::string("\xff\xfe"),
        std::string(R"({"status": "TRAINING", "batch": 1, "loss": 1})"),
        std::string(R"({"status": 5, "batch": 1, "loss": 1})"),
        std::string(R"({"status": "STOPPED", "batch": -1, "loss": 1})"),
        std::string(R"({"status": "STOPPED", "batch": 1e300, "loss": 1})"),
        std::string(R"({"status": "STOPPED", "batch": 18446744073709551615, "loss": 1})"),
        std::string(R"({"status": "STOPPED", "batch": 1})"),
        std::string(R"({"status": "STOPPED", "batch": 1, "loss": 1, "message": 3})"), std::string(100'000, '['),
        R"({"status": "STOPPED", "batch": 1, "loss": 1, "message": ")" + std::string(70'000, 'm') + "\"}"}) {
    EXPECT_FALSE(Read(content).has_value()) << content.substr(0, 80);
  }
}

}  // namespace
}  // namespace pilothouse::service
