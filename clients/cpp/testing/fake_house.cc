#include "clients/cpp/testing/fake_house.h"

#include <google/protobuf/util/time_util.h>

#include <cmath>
#include <tuple>
#include <utility>

#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

using google::protobuf::util::TimeUtil;

// 2026-01-01T00:00:00Z: times of the fake are fixed, so that output can be compared.
constexpr int64_t kBeginSeconds = 1767225600;
constexpr int64_t kParameters = 9;

}  // namespace

void FakeHouse::AddRun(const std::string& run_id) {
  MutexLock lock(mutex_);
  AddRunLocked(run_id);
}

void FakeHouse::AddRunLocked(const std::string& run_id) {
  v1::Run run;
  run.set_run_id(run_id);
  run.set_status(v1::RUN_STATUS_IDLE);
  run.set_idle_reason(v1::IDLE_REASON_TARGET_REACHED);
  run.set_loss(-1);
  run.set_eta(0.1);
  run.set_directory("/var/lib/pilothouse/runs/" + run_id);
  *run.mutable_create_time() = TimeUtil::SecondsToTimestamp(kBeginSeconds + static_cast<int64_t>(runs_.size()));
  *run.mutable_training_thread_seen_time() = run.create_time();
  v1::RunFacts& facts = *run.mutable_facts();
  facts.set_examples(4);
  facts.set_inputs(2);
  facts.set_outputs(1);
  facts.set_parameters(kParameters);
  facts.set_batches_per_epoch(1);
  for (const auto& [description, outputs, parameters] :
       {std::tuple{"Affine 2→2", 2, 6}, {"Tanh", 2, 0}, {"Affine 2→1", 1, 3}, {"Tanh", 1, 0}}) {
    v1::LayerSummary& layer = *facts.add_layers();
    layer.set_description(description);
    layer.set_outputs(outputs);
    layer.set_parameters(parameters);
  }
  v1::Knob& eta = *run.add_knobs();
  eta.set_name("eta");
  eta.set_value(0.1);
  eta.set_maximum(1e6);
  eta.set_description("learning rate");
  runs_[run_id].run = run;
}

FakeHouse::FakeRun& FakeHouse::Get(const std::string& run_id) { return runs_.at(run_id); }

void FakeHouse::Append(FakeRun& run, v1::Event event) {
  event.set_sequence(run.events.size() + 1);
  if (event.batch() == 0) event.set_batch(run.run.batch());
  *event.mutable_time() = TimeUtil::SecondsToTimestamp(kBeginSeconds + static_cast<int64_t>(event.sequence()));
  run.run.set_batch(event.batch());
  if (event.has_loss()) run.run.set_loss(event.loss().value());
  if (event.has_status()) {
    run.run.set_status(event.status().status());
    run.run.set_idle_reason(v1::IDLE_REASON_UNSPECIFIED);
    run.run.set_status_message(event.status().message());
    event.mutable_status()->set_target(run.run.target());
    event.mutable_status()->set_loss(run.run.loss());
  }
  run.run.set_last_sequence(event.sequence());
  run.events.push_back(std::move(event));
  changed_.NotifyAll();
}

void FakeHouse::AddLoss(const std::string& run_id, int64_t batch, double value) {
  MutexLock lock(mutex_);
  v1::Event event;
  event.set_batch(batch);
  event.mutable_loss()->set_value(value);
  Append(Get(run_id), event);
}

void FakeHouse::AddStatus(const std::string& run_id, v1::RunStatus status, const std::string& message) {
  MutexLock lock(mutex_);
  v1::Event event;
  event.mutable_status()->set_status(status);
  event.mutable_status()->set_message(message);
  Append(Get(run_id), event);
}

void FakeHouse::AddState(const std::string& run_id) {
  MutexLock lock(mutex_);
  v1::Event event;
  *event.mutable_state()->mutable_state() = MakeTensor(std::vector<double>{0.5, NAN}, {2});
  event.mutable_state()->set_eta(0.1);
  event.mutable_state()->set_loss(-1);
  event.mutable_state()->set_asked(true);
  Append(Get(run_id), event);
}

void FakeHouse::AddPluginReport(const std::string& run_id, int64_t batch, const v1::PluginReport& report,
                                const std::string& branch) {
  MutexLock lock(mutex_);
  v1::Event event;
  event.set_batch(batch);
  *event.mutable_plugin() = report;
  FakeRun& run = Get(run_id);
  Append(run, event);
  if (!branch.empty()) run.branches[run.events.back().sequence()] = branch;
}

void FakeHouse::AddEvent(const std::string& run_id, const v1::Event& event) {
  MutexLock lock(mutex_);
  Append(Get(run_id), event);
}

void FakeHouse::Edit(const std::string& run_id, const std::function<void(v1::Run&)>& edit) {
  MutexLock lock(mutex_);
  edit(Get(run_id).run);
}

void FakeHouse::SetPlugins(const std::string& run_id, const std::vector<v1::PluginStatus>& plugins) {
  MutexLock lock(mutex_);
  Get(run_id).run.mutable_plugins()->Assign(plugins.begin(), plugins.end());
}

void FakeHouse::SetLoss(const std::string& run_id, v1::LossFunction loss, int64_t inputs, int64_t outputs) {
  MutexLock lock(mutex_);
  v1::Run& run = Get(run_id).run;
  run.mutable_spec()->set_loss(loss);
  run.mutable_facts()->set_inputs(inputs);
  run.mutable_facts()->set_outputs(outputs);
}

void FakeHouse::SetStopping(bool stopping) {
  MutexLock lock(mutex_);
  stopping_ = stopping;
  changed_.NotifyAll();
}

void FakeHouse::LoseNextAnswers(int count) {
  MutexLock lock(mutex_);
  answers_to_lose_ = count;
}

void FakeHouse::BeOlder() {
  MutexLock lock(mutex_);
  older_ = true;
}

bool FakeHouse::LosesAnswer() {
  if (answers_to_lose_ == 0) return false;
  --answers_to_lose_;
  return true;
}

void FakeHouse::AddGap(uint64_t first, uint64_t last) {
  MutexLock lock(mutex_);
  v1::Gap gap;
  gap.set_first(first);
  gap.set_last(last);
  gaps_.push_back(gap);
  changed_.NotifyAll();
}

#define PILOTHOUSE_GETTER(type, name) \
  type FakeHouse::name() const {      \
    MutexLock lock(mutex_);           \
    return name##_;                   \
  }
PILOTHOUSE_GETTER(bool, stopping)
PILOTHOUSE_GETTER(int, changes)
PILOTHOUSE_GETTER(std::vector<v1::ControlOptions>, asked)
PILOTHOUSE_GETTER(std::vector<v1::StartRunRequest>, starts)
PILOTHOUSE_GETTER(std::vector<v1::ForkRequest>, forks)
PILOTHOUSE_GETTER(std::vector<v1::ReadHistoryRequest>, histories)
PILOTHOUSE_GETTER(std::vector<v1::WatchTrainingRequest>, watches)
PILOTHOUSE_GETTER(std::vector<int64_t>, predictions)
PILOTHOUSE_GETTER(std::vector<v1::EvaluateRequest>, evaluations)
PILOTHOUSE_GETTER(v1::DatasetFormat, upload_format)
PILOTHOUSE_GETTER(size_t, largest_chunk)
#undef PILOTHOUSE_GETTER

std::map<v1::DatasetPart, std::string> FakeHouse::uploaded() const {
  MutexLock lock(mutex_);
  return uploaded_;
}

}  // namespace pilothouse::client
