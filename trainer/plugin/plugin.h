// A plugin: what runs between two batches when its schedule says so.
//
//   class CountDown final : public StatelessPlugin {
//     absl::Status Run(PluginContext& context) override {
//       if (context.run().batch() >= 100) context.SetDone("counted to 100");
//       return absl::OkStatus();
//     }
//   };
#ifndef PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_H_
#define PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/plugin/change.h"
#include "trainer/plugin/point.h"
#include "trainer/plugin/run_view.h"
#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// Times from after `after` up to and with `through`, in ticks.
struct TimeRange {
  Timeline timeline = Timeline::kBatches;
  Ticks after = 0;
  Ticks through = 0;
};

// How often values fell into bins of equal width between `minimum` and `maximum`.
struct Histogram {
  std::string name;
  double minimum = 0;
  double maximum = 0;
  std::vector<int64_t> counts;
};

// Named numbers, and a sentence for people; either may be missing. Bounds: kMaxPluginValues, kMaxPluginHistograms,
// kMaxHistogramBins.
struct PluginOutput {
  std::vector<std::pair<std::string, double>> values;
  std::vector<Histogram> histograms;
  std::string message;
};

struct Wish {
  Change change;
  std::string note;
};

// One call of a plugin: what it is told, and what it wants. What it wants takes effect only if it returns OK.
class PluginContext {
 public:
  PluginContext(RunView& run, PluginPoint point, TimeRange range, bool done)
      : run_(run), point_(point), range_(range), done_(done) {}

  RunView& run() { return run_; }
  const RunView& run() const { return run_; }
  PluginPoint point() const { return point_; }
  // The times since the plugin ran last, one of which its schedule holds; since it was attached, at first. In batches
  // where it has no schedule.
  const TimeRange& range() const { return range_; }
  // A batch was trained.
  bool started() const { return run_.batch() > 0; }
  // The run has ended, by whomever: this is the plugin's last call, and what it asks for is too late.
  bool done() const { return done_; }

  // Asks for a change of the run. It is applied and journaled as a person's control is, with this batch and the
  // plugin's name, before the next plugin runs. `note` says why.
  void Ask(Change change, std::string note) { wishes_.push_back({std::move(change), std::move(note)}); }
  // No further batch runs: the parameters are saved, every plugin is called once more with done(), and the run is
  // COMPLETED with `reason`, which is cut to the length of a note.
  void SetDone(const std::string& reason) { Ask(StopChange{.message = reason, .completed = true}, reason); }
  // Reports something, journaled and shown to watchers. A value that is not finite makes the call a failure.
  void Report(PluginOutput output) { outputs_.push_back(std::move(output)); }

  std::vector<Wish>& wishes() { return wishes_; }
  std::vector<PluginOutput>& outputs() { return outputs_; }

 private:
  RunView& run_;
  const PluginPoint point_;
  const TimeRange range_;
  const bool done_;
  std::vector<Wish> wishes_;
  std::vector<PluginOutput> outputs_;
};

// All calls come from the training thread, which waits: what takes long belongs elsewhere.
class Plugin {
 public:
  virtual ~Plugin() = default;

  // Called when it is due, and once with context.done() at the end of the run. An error, an exception, a value that is
  // not finite or a call that takes too long is a failure: reported with the plugin's name and the batch.
  virtual absl::Status Run(PluginContext& context) = 0;

  // All that it remembers, for a checkpoint, in a form of its own; may be empty.
  virtual std::string Save() const = 0;
  // Gets what Save gave. After an error it is not called again.
  virtual absl::Status Restore(absl::string_view state) = 0;
};

// A plugin that belongs to the run itself, as reporting the loss does. It knows itself when it is due: it has no
// schedule, and runs while the run is idle too. At a boundary it is due if either of these has come.
class BuiltInPlugin : public Plugin {
 public:
  // Where the run is at `batch` now: the batch, this one or a later one, at which it is due whatever the time is;
  // kNever: none.
  virtual int64_t NextDueBatch(int64_t batch) const = 0;
  // The moment from which on it is due whatever the batch is. nullopt: none.
  virtual std::optional<std::chrono::steady_clock::time_point> NextDueMoment() const = 0;
};

// A Plugin or BuiltInPlugin that remembers nothing from one call to the next, and so has nothing to save.
template <typename Base>
class Stateless : public Base {
 public:
  std::string Save() const final { return ""; }
  absl::Status Restore(absl::string_view) final { return absl::OkStatus(); }
};
using StatelessPlugin = Stateless<Plugin>;

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_PLUGIN_H_
