#include "tests/bench/bare_loop.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/bench/statistics.h"
#include "tests/support/test_service.h"
#include "trainer/data/dataset.h"
#include "trainer/loop/supervised_learner.h"
#include "trainer/loop/training_loop.h"
#include "trainer/plugin/builtin/builtin_kinds.h"

namespace pilothouse::bench {
namespace {

class NoSink final : public trainer::ReportSink {
 public:
  void OnReport(trainer::Report) override {}
  void OnHeartbeat(const trainer::Heartbeat&) override {}
  void OnRefusal(trainer::Refusal) override {}
};

std::unique_ptr<trainer::Learner> XorLearner(const std::string& directory) {
  const std::string table = directory + "/xor.csv";
  std::ofstream(table) << testing::kXorTable;
  trainer::LearnerSpec spec;
  spec.network = OrDie(trainer::ParseShorthand("2x2tx1t"));
  spec.network.initial_state =
      trainer::NumberArray{{9}, std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}};
  spec.loss = trainer::LossFunction::kHalfMse;
  spec.precision = trainer::Precision::kFloat64;
  spec.full_batch = true;
  return OrDie(trainer::MakeLearner(spec, OrDie(trainer::ReadTable(table, {}))));
}

}  // namespace

std::string MakeTemporaryFolder() {
  std::string directory = std::filesystem::temp_directory_path().string() + "/pilothouse-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) std::abort();
  return directory;
}

double SecondsOfBareLoop(const std::string& directory, int64_t batches, std::vector<trainer::PluginSpec> plugins) {
  const std::unique_ptr<trainer::Learner> learner = XorLearner(directory);
  trainer::SystemClock clock;
  trainer::Mailbox mailbox(clock);
  NoSink sink;
  // A control that waits for the last batch ends it.
  trainer::Control stop;
  stop.request_id = "stop";
  stop.change = trainer::StopChange{};
  stop.at_batch = batches;
  if (!mailbox.Put(stop).ok()) std::abort();
  trainer::LoopOptions options;
  options.target = batches + 1;
  options.directory = directory;
  options.plugin_kinds = std::make_shared<const trainer::PluginKinds>(trainer::BuiltInPluginKinds());
  options.plugins = std::move(plugins);
  if (!CheckPlugins(options, learner->facts()).ok()) std::abort();
  trainer::TrainingLoop loop(std::move(options), *learner, mailbox, sink, clock);
  return SecondsOf([&] { loop.Run(); });
}

double SecondsOfBareSteps(const std::string& directory, int64_t batches) {
  const std::unique_ptr<trainer::Learner> learner = XorLearner(directory);
  const trainer::UpdateSettings settings = trainer::Knobs().update;
  return SecondsOf([&] {
    for (int64_t batch = 1; batch <= batches; ++batch) learner->Step(batch, settings);
  });
}

}  // namespace pilothouse::bench
