#include "examples/own_plugin/loss_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <variant>

#include "trainer/plugin/fake_run_view.h"

namespace pilothouse::examples {
namespace {

using trainer::FakeRunView;
using trainer::Plugin;
using trainer::PluginContext;
using trainer::PluginKinds;
using trainer::PluginPoint;
using trainer::PluginSettings;

TEST(LossRange, LowersEtaWhereTheLossGoesUpTooFar) {
  const trainer::PluginKind kind = LossRangeKind();
  const absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(kind, {{"tolerance", "3"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  const absl::StatusOr<std::unique_ptr<Plugin>> plugin = kind.make(*settings, {});
  ASSERT_TRUE(plugin.ok()) << plugin.status();
  FakeRunView run;
  for (const double loss : {1.0, 2.9, 3.1}) {
    run.GoTo(run.current_batch + 10);
    run.current_loss = loss;
    PluginContext context(run, PluginPoint::kAfterBatch, {}, /*done=*/false);
    ASSERT_TRUE((*plugin)->Run(context).ok());
    ASSERT_EQ(context.outputs().size(), 1U);
    EXPECT_EQ(context.outputs()[0].values[1].second, loss) << "the highest is the newest";
    ASSERT_EQ(context.wishes().size(), loss > 3 ? 1U : 0U);
    if (loss > 3) {
      EXPECT_EQ(std::get<trainer::KnobChange>(context.wishes()[0].change).value, 0.05);
    }
  }
}

TEST(LossRange, RemembersItsLossesWhenItIsRestored) {
  const trainer::PluginKind kind = LossRangeKind();
  const absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(kind, {});
  ASSERT_TRUE(settings.ok()) << settings.status();
  const std::unique_ptr<Plugin> plugin = *kind.make(*settings, {});
  FakeRunView run;
  for (const double loss : {0.1, 0.15}) {
    run.current_loss = loss;
    PluginContext context(run, PluginPoint::kAfterBatch, {}, /*done=*/false);
    ASSERT_TRUE(plugin->Run(context).ok());
  }
  const std::unique_ptr<Plugin> restored = *kind.make(*settings, {});
  ASSERT_TRUE(restored->Restore(plugin->Save()).ok());
  EXPECT_EQ(restored->Save(), plugin->Save());
  EXPECT_EQ(plugin->Save(), "0.10000000000000001 0.14999999999999999");
  EXPECT_FALSE(restored->Restore("low").ok());
}

TEST(LossRange, SaysWhichSettingIsWrong) {
  const trainer::PluginKind kind = LossRangeKind();
  const absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(kind, {{"window", "0"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(ReasonOf(kind.make(*settings, {}).status()), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
}

}  // namespace
}  // namespace pilothouse::examples
