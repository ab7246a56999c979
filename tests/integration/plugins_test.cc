// Plugins through the programs together: attached, rescheduled, listed, detached, and what they do to a run.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "proto/support/error.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;

v1::PluginSpec Notify(const std::string& schedule, const std::string& name = "") {
  v1::PluginSpec plugin;
  plugin.set_kind("notify");
  plugin.set_name(name);
  plugin.set_schedule(schedule);
  (*plugin.mutable_settings())["values"] = "loss,eta";
  return plugin;
}

v1::PluginSpec StopAfter(const std::string& after) {
  v1::PluginSpec plugin;
  plugin.set_kind("stop-after");
  (*plugin.mutable_settings())["after"] = after;
  return plugin;
}

// Those that somebody attached, as opposed to those of the run itself.
template <typename Plugins>
std::vector<v1::PluginStatus> Attached(const Plugins& plugins) {
  std::vector<v1::PluginStatus> attached;
  for (const v1::PluginStatus& plugin : plugins) {
    if (!plugin.built_in()) attached.push_back(plugin);
  }
  return attached;
}

std::vector<int64_t> BatchesReportedBy(const std::string& plugin, const std::vector<v1::Event>& events) {
  std::vector<int64_t> batches;
  for (const v1::Event& event : events) {
    if (event.plugin().has_output() && event.plugin().plugin() == plugin) batches.push_back(event.batch());
  }
  return batches;
}

TEST(Plugins, OneThatIsAttachedRescheduledAndDetachedRunsWhenItsScheduleSays) {
  TestService service;
  const std::string run = service.StartXor();
  Watcher watcher(service.stub(), FromTheStart(run));
  const auto attached = service.AttachPlugin(run, Notify("each(10)"), WithRequestId("attach"));
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->plugin(), "notify");
  EXPECT_EQ(attached->applied_batch(), 0);
  ASSERT_TRUE(service.BatchTo(run, 25).ok());
  ASSERT_TRUE(watcher.WaitForIdle(25));

  const auto rescheduled = service.ReschedulePlugin(run, "notify", "each(4)", WithRequestId("reschedule"));
  ASSERT_TRUE(rescheduled.ok()) << rescheduled.status();
  EXPECT_EQ(rescheduled->plugin(), "notify");
  const auto listed = service.Plugins(run);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->batch(), 25);
  const std::vector<v1::PluginStatus> plugins = Attached(listed->plugins());
  ASSERT_EQ(plugins.size(), 1U);
  EXPECT_EQ(plugins[0].spec().schedule(), "each(4)");
  EXPECT_EQ(plugins[0].runs(), 2);
  EXPECT_EQ(plugins[0].last_batch(), 20);
  EXPECT_EQ(plugins[0].next_due(), 28);

  ASSERT_TRUE(service.BatchTo(run, 30).ok());
  ASSERT_TRUE(watcher.WaitForIdle(30));
  const auto detached = service.DetachPlugin(run, "notify", WithRequestId("detach"));
  ASSERT_TRUE(detached.ok()) << detached.status();
  EXPECT_EQ(detached->value(), attached->value() - 1);
  ASSERT_TRUE(service.BatchTo(run, 50).ok());
  ASSERT_TRUE(watcher.WaitForIdle(50));
  EXPECT_EQ(BatchesReportedBy("notify", watcher.events()), (std::vector<int64_t>{10, 20, 28}));
  EXPECT_TRUE(Attached(service.Plugins(run)->plugins()).empty());
}

TEST(Plugins, TheSameRequestIdGivesTheSameReceiptForEveryChangeAlsoAfterARestartAndAfterTheEnd) {
  TestService service;
  const std::string run = service.StartXor();
  const auto attach = [&] { return service.AttachPlugin(run, Notify("each(10)"), WithRequestId("attach")); };
  const auto reschedule = [&] {
    return service.ReschedulePlugin(run, "notify", "each(4)", WithRequestId("reschedule"));
  };
  const auto detach = [&] { return service.DetachPlugin(run, "notify", WithRequestId("detach")); };
  std::vector<std::string> receipts;
  for (const auto& receipt : {attach(), reschedule(), detach()}) {
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    receipts.push_back(receipt->SerializeAsString());
  }
  const auto expect_the_same = [&] {
    size_t next = 0;
    for (const auto& receipt : {attach(), reschedule(), detach()}) {
      ASSERT_TRUE(receipt.ok()) << receipt.status();
      EXPECT_EQ(receipt->SerializeAsString(), receipts[next++]);
    }
  };
  expect_the_same();
  EXPECT_TRUE(Attached(service.Plugins(run)->plugins()).empty()) << "nothing was done a second time";
  const auto other = service.AttachPlugin(run, Notify("each(11)"), WithRequestId("attach"));
  EXPECT_EQ(ReasonOf(other.status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  service.Restart();
  expect_the_same();
  bool lost = false;
  const auto returned = [&](const v1::Event& event) {
    lost = lost || event.status().status() == v1::RUN_STATUS_LOST;
    return lost && event.status().status() == v1::RUN_STATUS_IDLE;
  };
  ASSERT_TRUE(Watcher(service.stub(), FromTheStart(run)).WaitForEvent(returned).has_value());
  const auto stopped = service.Stop(run);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  expect_the_same();
}

TEST(Plugins, AreListedAlsoWhenTheRunHasEndedAndTheServiceWasStartedAnew) {
  TestService service;
  v1::RunSpec spec = service.XorSpec();
  *spec.add_plugins() = Notify("each(10)", "first");
  *spec.add_plugins() = Notify("each(20)", "second");
  const auto started = service.Start(spec, 20);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->plugins_size(), 0) << "only who asks for plugins is told them";
  const std::string run = started->run_id();
  {
    Watcher watcher(service.stub(), FromTheStart(run));
    ASSERT_TRUE(watcher.WaitForIdle(20));
    EXPECT_EQ(watcher.messages().at(0).snapshot().plugins_size(), 0);
  }
  EXPECT_EQ(service.List()->runs(0).plugins_size(), 0);
  ASSERT_TRUE(service.DetachPlugin(run, "second").ok());
  ASSERT_TRUE(service.Stop(run).ok());
  const auto expect_first = [&] {
    for (const auto& plugins :
         {Attached(service.Plugins(run)->plugins()), Attached(service.State(run)->run().plugins())}) {
      ASSERT_EQ(plugins.size(), 1U);
      EXPECT_EQ(plugins[0].spec().name(), "first");
      EXPECT_EQ(plugins[0].spec().settings().at("values"), "loss,eta");
      EXPECT_EQ(plugins[0].runs(), 3);
    }
  };
  expect_first();
  service.Restart();
  expect_first();
  EXPECT_EQ(service.Plugins(run)->batch(), 20);
  EXPECT_EQ(ReasonOf(service.AttachPlugin(run, Notify("each(1)")).status()), v1::ERROR_REASON_RUN_ENDED);
}

TEST(Plugins, OneThatEndsTheRunCompletesIt) {
  TestService service;
  const std::string run = service.StartXor();
  Watcher watcher(service.stub(), FromTheStart(run));
  ASSERT_TRUE(service.AttachPlugin(run, StopAfter("7 batches")).ok());
  ASSERT_TRUE(service.BatchTo(run, kFarAway).ok());
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  const v1::Event last = watcher.events().back();
  EXPECT_EQ(last.status().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(last.batch(), 7);
  EXPECT_NE(last.status().message().find("stop-after"), std::string::npos) << last.status().message();
  const auto late = service.Stop(run);
  EXPECT_EQ(ReasonOf(late.status()), v1::ERROR_REASON_RUN_ENDED);
  EXPECT_NE(late.status().message().find("(COMPLETED at batch 7)"), absl::string_view::npos);
  EXPECT_TRUE(service.Predict(run, {0.5, 0.5}, 2).ok()) << "its parameters are saved";
}

TEST(Plugins, ARunThatAPluginCompletedWhileNoServiceWasThereIsCompleted) {
  TestService service;
  const std::string run = service.StartXor();
  const std::string directory = service.State(run)->run().directory();
  ASSERT_TRUE(service.AttachPlugin(run, StopAfter("2 s")).ok());
  ASSERT_TRUE(service.BatchTo(run, kFarAway).ok());
  service.server().Shutdown(/*stop_runs=*/false);
  // The last it writes before it waits for a service to tell.
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(directory + "/end.json"); }));
  const pid_t trainer = TestService::TrainerOf(run);
  if (trainer != 0) kill(trainer, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return TestService::TrainerOf(run) == 0; }));
  service.Restart();
  Watcher watcher(service.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  EXPECT_EQ(service.State(run)->run().status(), v1::RUN_STATUS_COMPLETED);
}

TEST(Plugins, ErrorsSayWhatIsWrongWhereverItIsFound) {
  TestService service;
  const std::string run = service.StartXor();
  v1::PluginSpec plugin = Notify("each(");
  const absl::Status schedule = service.AttachPlugin(run, plugin).status();
  EXPECT_EQ(ReasonOf(schedule), v1::ERROR_REASON_SCHEDULE_INVALID) << schedule;
  EXPECT_EQ(ToError(schedule).field(), "plugin.schedule");
  plugin = Notify("each(10)");
  plugin.set_kind("no-such-kind");
  const absl::Status kind = service.AttachPlugin(run, plugin).status();
  EXPECT_EQ(ReasonOf(kind), v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN) << kind;
  EXPECT_NE(ToError(kind).metadata().at("known").find("validate"), std::string::npos);
  plugin = Notify("each(10)");
  plugin.set_point(static_cast<v1::PluginPoint>(99));
  EXPECT_EQ(ReasonOf(service.AttachPlugin(run, plugin).status()), v1::ERROR_REASON_PLUGIN_POINT_UNKNOWN);
  EXPECT_EQ(ReasonOf(service.DetachPlugin(run, "nobody").status()), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(service.ReschedulePlugin(run, "nobody", "each(1)").status()), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
  EXPECT_EQ(ReasonOf(service.Plugins("no-such-run").status()), v1::ERROR_REASON_RUN_NOT_FOUND);

  v1::RunSpec spec = service.XorSpec();
  *spec.add_plugins() = Notify("each(10)");
  *spec.add_plugins() = Notify("each(");
  const absl::Status start = service.Start(spec).status();
  EXPECT_EQ(ReasonOf(start), v1::ERROR_REASON_SCHEDULE_INVALID) << start;
  EXPECT_EQ(ToError(start).field(), "spec.plugins[1].schedule");
}

TEST(Plugins, TheirKindsAreToldWithoutARun) {
  TestService service;
  const auto kinds = service.PluginKinds();
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  std::vector<std::string> names;
  for (const v1::PluginKind& kind : kinds->kinds()) {
    names.push_back(kind.name());
    EXPECT_FALSE(kind.description().empty()) << kind.name();
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const char* name : {"notify", "stop-after", "validate"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), std::string(name)), names.end()) << name;
  }
  EXPECT_EQ(service.PluginKinds()->SerializeAsString(), kinds->SerializeAsString());
}

}  // namespace
}  // namespace pilothouse::testing
