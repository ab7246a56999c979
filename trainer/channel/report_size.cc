#include "trainer/channel/report_size.h"

#include <cstddef>
#include <string>
#include <utility>
#include <variant>

namespace pilothouse::trainer {
namespace {

// What a text costs besides its bytes, and more than a number of a message takes with its tag.
constexpr size_t kTextBytes = sizeof(std::string);
// A message spells out what every knob is.
constexpr size_t kKnobsBytes = 2048;
// A count takes up to ten bytes in a message.
constexpr size_t kCountBytes = 10;

size_t SizeOfText(const std::string& text) { return kTextBytes + text.size(); }

size_t SizeOfSpec(const PluginSpec& spec) {
  size_t bytes = sizeof(PluginSpec) + spec.name.size() + spec.kind.size() + spec.schedule.size();
  for (const auto& [name, value] : spec.settings) bytes += SizeOfText(name) + SizeOfText(value);
  return bytes;
}

size_t SizeOfStatus(const PluginStatus& status) {
  return sizeof(PluginStatus) + SizeOfSpec(status.spec) + status.last_failure.size() + status.waits_for.size();
}

size_t SizeOfOutput(const PluginOutput& output) {
  size_t bytes = output.message.size();
  for (const auto& [name, value] : output.values) bytes += SizeOfText(name) + sizeof(value);
  for (const Histogram& histogram : output.histograms) {
    bytes += sizeof(Histogram) + histogram.name.size() + histogram.counts.size() * kCountBytes;
  }
  return bytes;
}

struct ChangeSize {
  size_t operator()(const KnobChange& change) const { return change.name.size(); }
  size_t operator()(const TargetChange&) const { return 0; }
  size_t operator()(const StopChange& change) const { return change.message.size(); }
  size_t operator()(const AttachPluginChange& change) const { return SizeOfSpec(change.spec); }
  size_t operator()(const DetachPluginChange& change) const { return change.name.size(); }
  size_t operator()(const ReschedulePluginChange& change) const { return change.name.size() + change.schedule.size(); }
  size_t operator()(const ParametersChange& change) const {
    return change.file.size() + change.sha256.size() + change.from_run_id.size();
  }
  size_t operator()(const CheckpointChange&) const { return 0; }
  size_t operator()(const RewindChange& change) const { return 2 * change.branch.size(); }
};

// What a report of a kind has beyond its own struct.
struct KindSize {
  size_t operator()(const LossReport&) const { return 0; }
  size_t operator()(const StateReport&) const { return 0; }
  size_t operator()(const StatusReport& status) const { return status.message.size(); }
  size_t operator()(const ControlReport& report) const {
    const Control& control = report.control;
    return control.request_id.size() + control.origin.size() + control.note.size() + report.plugin.size() +
           std::visit(ChangeSize{}, control.change);
  }
  size_t operator()(const CheckpointReport& report) const {
    const CheckpointOutcome& outcome = report.outcome;
    return outcome.facts.request_id.size() + outcome.status.message().size() + outcome.file.size() +
           outcome.sha256.size() + outcome.state_sha256.size();
  }
  size_t operator()(const PluginReport& report) const {
    const auto* output = std::get_if<PluginOutput>(&report.what);
    const size_t what = output != nullptr ? SizeOfOutput(*output) : std::get<PluginFailure>(report.what).message.size();
    return report.plugin.size() + report.kind.size() + what;
  }
};

}  // namespace

int64_t SizeOf(const Report& report) {
  size_t bytes = sizeof(Report) + std::visit(KindSize{}, report.kind);
  if (report.knobs.has_value()) bytes += kKnobsBytes;
  if (report.plugins.has_value()) {
    for (const PluginStatus& plugin : *report.plugins) bytes += SizeOfStatus(plugin);
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace pilothouse::trainer
