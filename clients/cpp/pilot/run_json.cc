#include "clients/cpp/pilot/run_json.h"

#include <algorithm>
#include <utility>

#include "clients/cpp/pilot/data_output.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/event_json.h"
#include "clients/cpp/pilot/lineage_json.h"

namespace pilothouse::client {
namespace {

Json OfKnob(const v1::Knob& knob) {
  return {{"name", knob.name()},
          {"value", JsonNumber(knob.value())},
          {"minimum", JsonNumber(knob.minimum())},
          {"maximum", JsonNumber(knob.maximum())},
          {"integer", knob.integer()},
          {"description", knob.description()},
          {"follows_schedule", knob.follows_schedule()}};
}

Json OfFacts(const v1::RunFacts& facts) {
  Json layers = Json::array();
  for (const v1::LayerSummary& layer : facts.layers()) {
    layers.push_back(
        {{"description", layer.description()}, {"outputs", layer.outputs()}, {"parameters", layer.parameters()}});
  }
  return {{"examples", facts.examples()},
          {"validation_examples", facts.validation_examples()},
          {"test_examples", facts.test_examples()},
          {"inputs", facts.inputs()},
          {"input_names", std::vector<std::string>(facts.input_names().begin(), facts.input_names().end())},
          {"outputs", facts.outputs()},
          {"parameters", facts.parameters()},
          {"batches_per_epoch", facts.batches_per_epoch()},
          {"data_sha256", facts.data_sha256()},
          {"layers", std::move(layers)}};
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json OfData(const v1::RunSpec& spec) {
  const v1::DataSpec& data = spec.data();
  return {{"dataset_id", TextOrNull(data.dataset_id())},
          {"file", TextOrNull(data.file())},
          {"target_columns", std::vector<std::string>(data.target_columns().begin(), data.target_columns().end())},
          {"weight_column", TextOrNull(data.weight_column())},
          {"ignored_columns", std::vector<std::string>(data.ignored_columns().begin(), data.ignored_columns().end())},
          {"standardize", data.standardize()},
          {"validation", TextOrNull(ValidationText(data))},
          {"test", TextOrNull(data.test_size())},
          {"split", SplitWord(spec)},
          {"split_seed", data.split_seed()}};
}

}  // namespace

Json RunAsJson(const v1::Run& run) {
  Json knobs = Json::array();
  for (const v1::Knob& knob : run.knobs()) knobs.push_back(OfKnob(knob));
  Json json = {{"run_id", run.run_id()},
               {"status", StatusWord(run.status())},
               {"idle_reason", IdleReasonWord(run.idle_reason())},
               {"status_message", run.status_message()},
               {"batch", run.batch()},
               {"target", run.target()},
               {"resume_target", run.resume_target()},
               {"loss", JsonLoss(run.loss())},
               {"eta", JsonNumber(run.eta())},
               {"eta_follows_schedule", run.eta_follows_schedule()},
               {"eta_schedule", run.has_spec() ? Json(run.spec().eta_schedule()) : Json()},
               {"optimizer", run.has_spec() ? Json(OptimizerWord(run.spec().optimizer().kind())) : Json()},
               {"threads", run.has_spec() ? Json(std::max(1, run.spec().threads())) : Json()},
               {"data", run.has_spec() ? OfData(run.spec()) : Json()},
               {"knobs", std::move(knobs)},
               {"last_sequence", run.last_sequence()},
               {"create_time", JsonTime(run.create_time())},
               {"end_time", run.has_end_time() ? JsonTime(run.end_time()) : Json()},
               {"directory", run.directory()}};
  AddLineage(run, json);
  json["facts"] = run.has_facts() ? OfFacts(run.facts()) : Json();
  return json;
}

Json ReceiptAsJson(const std::string& run_id, const v1::Receipt& receipt) {
  return {{"run_id", run_id},
          {"control_id", receipt.control_id()},
          {"request_id", receipt.request_id()},
          {"applied_batch", receipt.applied_batch()},
          {"value", JsonNumber(receipt.value())},
          {"plugin", receipt.plugin().empty() ? Json() : Json(receipt.plugin())},
          {"branch", receipt.branch().empty() ? Json() : Json(receipt.branch())},
          {"applied_time", JsonTime(receipt.applied_time())}};
}

}  // namespace pilothouse::client
