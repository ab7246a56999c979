#include "trainer/loop/run_state.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "trainer/checkpoint/json_text.h"

namespace pilothouse::trainer {
namespace {

using Json = nlohmann::json;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

constexpr char kBatch[] = "batch";
constexpr char kLoop[] = "loop";
constexpr char kEtaFollows[] = "eta_follows_schedule";

Json KnobsToJson(const Knobs& knobs) {
  Json json = Json::object();
  for (const KnobFacts& knob : knobs.Facts()) json[knob.name] = knob.value;
  return json;
}

// A knob that the checkpoint does not know keeps its usual value. Where it does not know of schedules, the run's was
// constant, and eta either was what it said or had been set.
Knobs KnobsFrom(const Json& json, OptimizerKind optimizer, double initial_eta) {
  Knobs knobs = Knobs::UsualOf(optimizer);
  for (const auto& [name, value] : json.at("knobs").items()) knobs.Set(name, value.get<double>());
  knobs.eta_follows_schedule = json.value(kEtaFollows, knobs.update.eta == initial_eta);
  return knobs;
}

Json TargetToJson(const Target::Saved& target) {
  return {{"batch", target.batch},
          {"resume_batch", target.resume_batch},
          {"paused", target.paused},
          {"diverged", target.diverged}};
}

Target::Saved TargetFrom(const Json& json) {
  return {.batch = json.at("batch").get<int64_t>(),
          .resume_batch = json.at("resume_batch").get<int64_t>(),
          .paused = json.at("paused").get<bool>(),
          .diverged = json.at("diverged").get<bool>()};
}

Json TimelinesToJson(const RunTimelines::Saved& timelines) {
  return {{"wall_time_ns", timelines.wall_time.count()}, {"training_time_ns", timelines.training_time.count()}};
}

}  // namespace

void RunState::Save(SavedState& state) const {
  state.texts[kBatch] = absl::StrCat(batch);
  const auto since_1970 = std::chrono::duration_cast<microseconds>(saved_time.time_since_epoch());
  const Json json = {{"batch", batch},
                     {"loss", ToJson(loss)},
                     {"knobs", KnobsToJson(knobs)},
                     {kEtaFollows, knobs.eta_follows_schedule},
                     {"target", TargetToJson(target.Save())},
                     {"timelines", TimelinesToJson(timelines.Save())},
                     {"time_us", since_1970.count()}};
  state.texts[kLoop] = json.dump();
}

absl::Status RunState::Restore(const SavedState& state) {
  return ReadText(state, kLoop, [this](const Json& json) {
    const auto saved_batch = json.at("batch").get<int64_t>();
    const double saved_loss = NumberFrom(json.at("loss"));
    const Knobs saved_knobs = KnobsFrom(json, knobs.optimizer, scheduled_eta.initial_eta());
    const Target saved_target(TargetFrom(json.at("target")));
    const Json& times = json.at("timelines");
    const RunTimelines::Saved saved_times{.batch = saved_batch,
                                          .wall_time = nanoseconds(times.at("wall_time_ns").get<int64_t>()),
                                          .training_time = nanoseconds(times.at("training_time_ns").get<int64_t>())};
    saved_time = WallTime(microseconds(json.at("time_us").get<int64_t>()));
    batch = saved_batch;
    loss = saved_loss;
    knobs = saved_knobs;
    scheduled_eta.Changed(batch, knobs);
    target = saved_target;
    timelines = RunTimelines(sizes, now, saved_times);
  });
}

}  // namespace pilothouse::trainer
