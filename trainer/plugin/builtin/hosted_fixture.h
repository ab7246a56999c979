// Test support: built-in plugins in a host, with the usual schedules of their kinds.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_HOSTED_FIXTURE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_HOSTED_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/plugin/builtin/builtin_kinds.h"
#include "trainer/plugin/fake_run_view.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

class HostedTest : public testing::Test, public PluginSink {
 protected:
  HostedTest() {
    surroundings_.validation_examples = 5;
    surroundings_.knobs = {"eta"};
    NewHost();
  }

  void NewHost() {
    host_ = std::make_unique<PluginHost>(kinds_, surroundings_, run_.run_timelines,
                                         [] { return std::chrono::steady_clock::time_point(); });
  }

  static PluginSpec Spec(const std::string& kind, std::map<std::string, std::string> settings) {
    PluginSpec spec;
    spec.kind = kind;
    spec.settings = std::move(settings);
    return spec;
  }

  void Attach(const std::string& kind, std::map<std::string, std::string> settings) {
    const absl::StatusOr<std::string> name = host_->Attach(Spec(kind, std::move(settings)));
    ASSERT_TRUE(name.ok()) << name.status();
  }

  // Trains up to `batch`, or until a plugin ends the run. Each batch takes 1 ms.
  void TrainTo(int64_t batch) {
    while (run_.current_batch < batch && !done_) {
      run_.GoTo(run_.current_batch + 1);
      if (host_->Due(PluginPoint::kAfterBatch)) host_->Run(PluginPoint::kAfterBatch, run_, *this);
    }
  }

  PluginStatus Status() const { return host_->List().front(); }

  void OnOutput(const PluginSpec&, PluginOutput) override {}
  void OnFailure(const PluginSpec& plugin, PluginFailure failure) override {
    ADD_FAILURE() << plugin.name << ": " << failure.message;
  }
  absl::Status OnWish(const PluginSpec&, Wish wish) override {
    if (const auto* knob = std::get_if<KnobChange>(&wish.change)) {
      run_.knobs[knob->name] = knob->value;
      story_.push_back(absl::StrCat(knob->name, " ", knob->value, "@", run_.current_batch));
    }
    if (const auto* stop = std::get_if<StopChange>(&wish.change)) {
      done_ = stop->completed;
      story_.push_back(absl::StrCat(stop->message, "@", run_.current_batch));
    }
    return absl::OkStatus();
  }

  const PluginKinds kinds_ = BuiltInPluginKinds();
  PluginSurroundings surroundings_;
  FakeRunView run_;
  std::unique_ptr<PluginHost> host_;
  // What plugins asked for: "eta 0.01@50", "ran for 1 h@7".
  std::vector<std::string> story_;
  bool done_ = false;
};

using Story = std::vector<std::string>;

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_HOSTED_FIXTURE_H_
