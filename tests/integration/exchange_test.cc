// Runs that learn from each other, through the programs together.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kFarAway = int64_t{1} << 50;
constexpr double kGoodEta = 0.1;
// With this a run goes on learning, but learns next to nothing.
constexpr double kBadEta = 1e-9;

v1::PluginSpec StopAfterBatches(const std::string& count) {
  v1::PluginSpec plugin;
  plugin.set_kind("stop-after");
  (*plugin.mutable_settings())["after"] = count + " batches";
  return plugin;
}

v1::PluginSpec ExchangeWith(const std::string& other) {
  v1::PluginSpec plugin;
  plugin.set_kind("exchange");
  plugin.set_schedule("each(100)");
  (*plugin.mutable_settings())["with"] = other;
  (*plugin.mutable_settings())["perturb"] = "1";
  return plugin;
}

// A run on XOR that waits before its first batch, and ends after batch 400.
v1::RunSpec SpecWith(TestService& service, double eta) {
  v1::RunSpec spec = service.XorSpec();
  spec.set_eta(eta);
  *spec.add_plugins() = StopAfterBatches("400");
  return spec;
}

// Trains to the end; the loss there.
double LossAtTheEnd(TestService& service, const std::string& run) {
  Watcher watcher(service.stub(), FromNow(run));
  EXPECT_TRUE(service.BatchTo(run, kFarAway).ok());
  EXPECT_TRUE(watcher.WaitForEnd().ok());
  const auto state = service.State(run);
  EXPECT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->run().status(), v1::RUN_STATUS_COMPLETED);
  EXPECT_EQ(state->run().batch(), 400);
  return state->run().loss();
}

std::vector<v1::Event> TakenOver(const std::vector<v1::Event>& events) {
  std::vector<v1::Event> taken_over;
  for (const v1::Event& event : events) {
    if (event.control().change().has_parameters()) taken_over.push_back(event);
  }
  return taken_over;
}

TEST(Exchange, ARunWithABadEtaGoesOnFromTheParametersAndTheEtaOfABetterOne) {
  TestService service;
  v1::RunSpec spec = SpecWith(service, kGoodEta);
  *spec.add_plugins() = ExchangeWith("bad");
  const auto good = service.Start(spec, 0, "good");
  ASSERT_TRUE(good.ok()) << good.status();
  spec = SpecWith(service, kBadEta);
  *spec.add_plugins() = ExchangeWith("good");
  const auto bad = service.Start(spec, 0, "bad");
  ASSERT_TRUE(bad.ok()) << bad.status();
  ASSERT_TRUE(service.Start(SpecWith(service, kBadEta), 0, "alone").ok());

  // The good one waits where it has shown its state, so that the other one finds it whenever it looks.
  Watcher of_good(service.stub(), FromTheStart("good"));
  ASSERT_TRUE(service.BatchTo("good", 200).ok());
  ASSERT_TRUE(of_good.WaitForIdle(200));
  Watcher of_bad(service.stub(), FromTheStart("bad"));
  ASSERT_TRUE(service.BatchTo("bad", 150).ok());
  ASSERT_TRUE(of_bad.WaitForIdle(150));

  const std::vector<v1::Event> taken_over = TakenOver(of_bad.events());
  ASSERT_EQ(taken_over.size(), 1U);
  EXPECT_EQ(taken_over[0].batch(), 100);
  EXPECT_EQ(taken_over[0].control().change().parameters().from_run_id(), "good");
  EXPECT_EQ(taken_over[0].control().change().parameters().from_batch(), 200);
  EXPECT_EQ(taken_over[0].control().origin(), "plugin exchange");
  EXPECT_TRUE(TakenOver(of_good.events()).empty()) << "there was nothing better to be had";

  const double alone = LossAtTheEnd(service, "alone");
  EXPECT_LT(LossAtTheEnd(service, "bad"), 0.9 * alone);
  EXPECT_LT(LossAtTheEnd(service, "good"), 0.9 * alone);
}

}  // namespace
}  // namespace pilothouse::testing
