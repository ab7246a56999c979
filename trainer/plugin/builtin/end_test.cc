// What the kinds do at the end of a run.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/plugin/builtin/hosted_fixture.h"

namespace pilothouse::trainer {
namespace {

class EndTest : public HostedTest {
 protected:
  ~EndTest() override { std::filesystem::remove_all(run_.run_directory); }

  absl::StatusOr<std::string> AttachAtEnd(const std::string& kind, std::map<std::string, std::string> settings = {}) {
    PluginSpec spec = Spec(kind, std::move(settings));
    spec.point = PluginPoint::kEnd;
    return host_->Attach(spec);
  }

  void OnOutput(const PluginSpec& plugin, PluginOutput) override { reports_.push_back(plugin.kind); }

  std::vector<std::string> reports_;
};

TEST_F(EndTest, KindsThatMeasureAndSaveActThere) {
  run_.run_directory = absl::StrCat(testing::TempDir(), "/end-", getpid());
  std::filesystem::create_directories(run_.run_directory);
  run_.next_validation_loss = 1;
  for (const char* kind : {"notify", "validate", "statistics", "checkpoint"}) {
    const absl::StatusOr<std::string> attached = AttachAtEnd(kind);
    EXPECT_TRUE(attached.ok()) << attached.status();
  }
  TrainTo(3);
  EXPECT_TRUE(reports_.empty());
  host_->RunLast(run_, *this);
  EXPECT_EQ(reports_, (std::vector<std::string>{"notify", "validate", "statistics", "checkpoint"}));
}

TEST_F(EndTest, KindsThatChangeTheRunOrFollowItAreRefusedThere) {
  const std::map<std::string, std::map<std::string, std::string>> kinds = {
      {"average", {}},
      {"early-stopping", {}},
      {"eta-schedule", {{"factor", "0.5"}, {"every", "100"}}},
      {"exchange", {{"with", "other"}}},
      {"reduce-eta", {}},
      {"save-best", {}},
      {"stop-after", {{"after", "1 h"}}},
      {"stop-when", {{"when", "loss < 0.1"}}}};
  for (const auto& [kind, settings] : kinds) {
    const absl::Status refused = AttachAtEnd(kind, settings).status();
    EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_PLUGIN_INVALID) << kind;
    EXPECT_TRUE(absl::StrContains(refused.message(), "It can run at: start, before_batch, ")) << refused;
  }
}

}  // namespace
}  // namespace pilothouse::trainer
