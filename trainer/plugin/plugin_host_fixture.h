// Test support: a host with plugins that do what a test says, and a sink that keeps what comes of it.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_FIXTURE_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_FIXTURE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "trainer/plugin/fake_run_view.h"
#include "trainer/plugin/plugin.h"
#include "trainer/plugin/plugin_host.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// Does what it is told to, and remembers a text.
class ScriptedPlugin final : public Plugin {
 public:
  using Act = std::function<absl::Status(PluginContext&)>;

  ScriptedPlugin(Act act, std::string* memory) : act_(std::move(act)), memory_(memory) {}

  absl::Status Run(PluginContext& context) override { return act_(context); }
  std::string Save() const override { return *memory_; }
  absl::Status Restore(absl::string_view state) override {
    if (state == "broken") return absl::DataLossError("What it remembered cannot be read.");
    *memory_ = std::string(state);
    return absl::OkStatus();
  }

 private:
  Act act_;
  std::string* memory_;
};

// Due at a batch or a moment that the test says.
class ScriptedBuiltIn final : public Stateless<BuiltInPlugin> {
 public:
  struct Script {
    int64_t due_batch = kNever;
    std::optional<std::chrono::steady_clock::time_point> due_moment;
    std::function<absl::Status(PluginContext&)> act = [](PluginContext&) { return absl::OkStatus(); };
  };

  explicit ScriptedBuiltIn(Script* script) : script_(script) {}

  absl::Status Run(PluginContext& context) override { return script_->act(context); }
  int64_t NextDueBatch(int64_t) const override { return script_->due_batch; }
  std::optional<std::chrono::steady_clock::time_point> NextDueMoment() const override { return script_->due_moment; }

 private:
  Script* script_;
};

class PluginHostTest : public testing::Test, public PluginSink {
 protected:
  PluginHostTest() {
    kinds_.Register(Kind("script"));
    surroundings_.validation_examples = 5;
    run_.next_validation_loss = 1;
    NewHost();
  }

  // A kind whose plugins do what `acts_` says under the name that their setting "act" gives; without one, nothing.
  PluginKind Kind(const std::string& name) {
    PluginKind kind;
    kind.name = name;
    kind.description = "Does what a test says.";
    kind.settings = {{"act", "what to do", ""}, {"file", "what to write", ""}};
    kind.make = [this](const PluginSettings& settings,
                       const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
      return MakeScripted(settings.Text("act"));
    };
    return kind;
  }

  // Begins anew, as a restored run does.
  void NewHost() {
    host_ = std::make_unique<PluginHost>(kinds_, surroundings_, run_.run_timelines, [this] { return time_; });
  }

  static PluginSpec Spec(const std::string& name, const std::string& schedule,
                         std::optional<PluginPoint> point = std::nullopt) {
    PluginSpec spec;
    spec.name = name;
    spec.kind = "script";
    spec.schedule = schedule;
    spec.point = point;
    spec.settings["act"] = name;
    return spec;
  }

  void Attach(const PluginSpec& spec) {
    const absl::StatusOr<std::string> attached = host_->Attach(spec);
    ASSERT_TRUE(attached.ok()) << attached.status();
  }
  void Attach(const std::string& name, const std::string& schedule, std::optional<PluginPoint> point = std::nullopt) {
    Attach(Spec(name, schedule, point));
  }
  void AttachWithPriority(const std::string& name, int priority) {
    PluginSpec spec = Spec(name, "always");
    spec.priority = priority;
    Attach(spec);
  }

  // What the loop does between two batches.
  void Boundary() {
    if (host_->Due(PluginPoint::kAfterBatch)) host_->Run(PluginPoint::kAfterBatch, run_, *this);
    host_->RunStart(run_, *this);
    if (host_->Due(PluginPoint::kBeforeBatch)) host_->Run(PluginPoint::kBeforeBatch, run_, *this);
  }
  // Trains up to `batch`.
  void TrainTo(int64_t batch, std::chrono::nanoseconds each = std::chrono::milliseconds(1)) {
    while (run_.current_batch < batch) {
      run_.GoTo(run_.current_batch + 1, each);
      Boundary();
    }
  }

  PluginStatus StatusOf(const std::string& name) const {
    for (const PluginStatus& status : host_->List()) {
      if (status.spec.name == name) return status;
    }
    ADD_FAILURE() << "no plugin " << name;
    return {};
  }

  void OnOutput(const PluginSpec& plugin, PluginOutput output) override {
    outputs_.push_back(absl::StrCat(plugin.name, ": ", output.message));
  }
  void OnFailure(const PluginSpec& plugin, PluginFailure failure) override {
    story_.push_back(absl::StrCat(plugin.name, " failed"));
    failures_.push_back(std::move(failure));
  }
  // Changes of plugins are made at once, as the loop does.
  absl::Status OnWish(const PluginSpec& plugin, Wish wish) override {
    story_.push_back(absl::StrCat(plugin.name, " wishes"));
    if (const auto* attach = std::get_if<AttachPluginChange>(&wish.change)) Attach(attach->spec);
    if (const auto* detach = std::get_if<DetachPluginChange>(&wish.change)) {
      EXPECT_TRUE(host_->Detach(detach->name).ok());
    }
    if (const auto* reschedule = std::get_if<ReschedulePluginChange>(&wish.change)) {
      EXPECT_TRUE(host_->Reschedule(*reschedule).ok());
    }
    wishes_.push_back(std::move(wish));
    return refused_ ? refused_(wishes_.back()) : absl::OkStatus();
  }

  PluginKinds kinds_;
  PluginSurroundings surroundings_;
  FakeRunView run_;
  std::chrono::steady_clock::time_point time_;
  std::unique_ptr<PluginHost> host_;
  std::map<std::string, ScriptedPlugin::Act> acts_;
  // What the plugins remember.
  std::map<std::string, std::string> memories_;
  // "name@batch" for each call, in order.
  std::vector<std::string> calls_;
  std::vector<std::string> outputs_;
  std::vector<PluginFailure> failures_;
  // What is refused to them. Unset: nothing.
  std::function<absl::Status(const Wish&)> refused_;
  std::vector<Wish> wishes_;
  // Calls, failures and wishes in the order in which they came.
  std::vector<std::string> story_;

 private:
  std::unique_ptr<Plugin> MakeScripted(const std::string& name) {
    return std::make_unique<ScriptedPlugin>(
        [this, name](PluginContext& context) {
          calls_.push_back(absl::StrCat(name, "@", context.run().batch()));
          story_.push_back(absl::StrCat(name, " runs"));
          const auto act = acts_.find(name);
          return act == acts_.end() ? absl::OkStatus() : act->second(context);
        },
        &memories_[name]);
  }
};

using Calls = std::vector<std::string>;

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_HOST_FIXTURE_H_
