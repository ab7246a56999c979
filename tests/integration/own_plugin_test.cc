// The worked example of a plugin of one's own, with its trainer, as somebody would use it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

TEST(OwnPlugin, AKindOfAnotherTrainerProgramIsListedAttachedAndReports) {
  TestService service{std::string(PILOTHOUSE_OWN_TRAINER)};
  const auto kinds = service.PluginKinds();
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  const auto is_own = [](const v1::PluginKind& kind) { return kind.name() == "loss-range"; };
  EXPECT_TRUE(std::any_of(kinds->kinds().begin(), kinds->kinds().end(), is_own)) << kinds->DebugString();

  const std::string run = service.StartXor();
  Watcher watcher(service.stub(), FromTheStart(run));
  v1::PluginSpec plugin;
  plugin.set_kind("loss-range");
  plugin.set_schedule("each(5)");
  const auto attached = service.AttachPlugin(run, plugin);
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->plugin(), "loss-range");
  ASSERT_TRUE(service.BatchTo(run, 5).ok());
  const auto output = watcher.WaitForEvent([](const v1::Event& event) { return event.plugin().has_output(); });
  ASSERT_TRUE(output.has_value());
  EXPECT_EQ(output->plugin().kind(), "loss-range");
  EXPECT_EQ(output->batch(), 5);
  ASSERT_EQ(output->plugin().output().values_size(), 2);
  EXPECT_EQ(output->plugin().output().values(0).name(), "lowest");
}

}  // namespace
}  // namespace pilothouse::testing
