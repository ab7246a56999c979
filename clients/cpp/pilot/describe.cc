#include "clients/cpp/pilot/describe.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/data_output.h"
#include "clients/cpp/pilot/lineage_output.h"
#include "clients/cpp/pilot/plugin_output.h"
#include "clients/cpp/pilot/run_view.h"
#include "clients/cpp/pilot/text.h"
#include "proto/support/constant_schedule.h"

namespace pilothouse::client {
namespace {

constexpr absl::string_view kIndent = "  ";

std::string Quoted(const std::string& note) { return note.empty() ? "" : absl::StrCat("  \"", Printable(note), "\""); }

std::string By(const std::string& origin) { return origin.empty() ? "" : absl::StrCat("  by ", Printable(origin)); }

std::string Count(double value) { return FormatCount(static_cast<int64_t>(value)); }

// A bound that is as far as numbers go is none to a person.
std::string Bound(double bound) {
  constexpr double kFar = 1e15;
  constexpr double kNear = 1e-300;
  if (std::abs(bound) >= kFar) return "any";
  return bound > 0 && bound < kNear ? "above 0" : FormatNumber(bound);
}

// Beyond it, a line of a terminal is hard to read.
constexpr int kNoteColumns = 160;

// What a run that lives has to say of its status.
bool HasNote(const v1::Run& run) { return !HasEnded(run.status()) && !run.status_message().empty(); }

std::string FirstSentence(const std::string& message) {
  const std::string line(absl::string_view(message).substr(0, message.find('\n')));
  const size_t end = line.find(". ");
  return Truncate(Printable(absl::string_view(line).substr(0, end == std::string::npos ? end : end + 1)), kNoteColumns);
}

std::string Notes(const std::vector<v1::Run>& runs) {
  std::string notes;
  for (const v1::Run& run : runs) {
    if (HasNote(run)) {
      absl::StrAppend(&notes, "! ", Printable(run.run_id()), ": ", FirstSentence(run.status_message()), "\n");
    }
  }
  return notes.empty() ? "" : absl::StrCat(notes, "! pilot state RUN says all of it\n");
}

std::string StatusEventText(const v1::StatusReport& status) {
  std::string text = absl::StrCat("status ", StatusText(status.status(), status.idle_reason()));
  if (!status.message().empty()) absl::StrAppend(&text, "  ", PrintableLines(status.message(), " | "));
  return text;
}

}  // namespace

std::string StatusWord(v1::RunStatus status) {
  const std::string& name = v1::RunStatus_Name(status);
  return std::string(absl::StripPrefix(name, "RUN_STATUS_"));
}

std::string OptimizerWord(v1::OptimizerKind kind) {
  const std::string& name =
      v1::OptimizerKind_Name(kind == v1::OPTIMIZER_KIND_UNSPECIFIED ? v1::OPTIMIZER_KIND_GRADIENT_DESCENT : kind);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "OPTIMIZER_KIND_"));
}

std::string EtaText(const v1::Run& run) {
  const bool constant = IsConstantSchedule(run.spec().eta_schedule());
  return absl::StrCat(FormatNumber(run.eta()), constant                     ? ""
                                               : run.eta_follows_schedule() ? " (schedule)"
                                                                            : " (overridden)");
}

std::string IdleReasonText(v1::IdleReason reason) {
  switch (reason) {
    case v1::IDLE_REASON_TARGET_REACHED:
      return "target reached";
    case v1::IDLE_REASON_PAUSED:
      return "paused";
    case v1::IDLE_REASON_DIVERGED:
      return "diverged";
    default:
      return "";
  }
}

std::string StatusText(v1::RunStatus status, v1::IdleReason reason) {
  const std::string why = IdleReasonText(reason);
  return why.empty() ? StatusWord(status) : absl::StrCat(StatusWord(status), " (", why, ")");
}

std::string ControlText(const v1::ControlReport& control) {
  const v1::Change& change = control.change();
  if (change.has_stop()) return "stop";
  if (change.has_knob()) {
    return absl::StrCat(Printable(change.knob().name()), " ", FormatNumber(control.previous_value()), " → ",
                        FormatNumber(control.value()), change.knob().follow_schedule() ? " (schedule)" : "");
  }
  if (change.has_checkpoint() || change.has_rewind()) return LineageControlText(control);
  if (!change.has_target()) return PluginControlText(control);
  if (change.target().has_pause()) return "pause";
  if (change.target().has_resume()) return absl::StrCat("resume to ", Count(control.value()));
  return absl::StrCat("target ", Count(control.previous_value()), " → ", Count(control.value()));
}

std::string SayMore(const std::string& run_id) { return absl::StrCat("pilot state ", Printable(run_id), " says more"); }

std::string EventLine(const v1::Event& event) {
  const std::string begin = absl::StrCat(FormatClock(event.time()), "  batch ", event.batch(), "  ");
  switch (event.kind_case()) {
    case v1::Event::kLoss:
      return absl::StrCat(begin, "loss ", FormatLoss(event.loss().value()),
                          event.loss().at_target() ? "  at target" : "");
    case v1::Event::kStatus:
      return begin + StatusEventText(event.status());
    case v1::Event::kControl:
      return absl::StrCat(begin, ControlText(event.control()), By(event.control().origin()),
                          Quoted(event.control().note()));
    case v1::Event::kState:
      return absl::StrCat(begin, "state of ",
                          event.state().state().shape_size() > 0 ? event.state().state().shape(0) : 0, " parameters");
    case v1::Event::kPlugin:
      return begin + ReportLine(event.plugin());
    case v1::Event::kCheckpoint:
      return begin + CheckpointEventText(event.checkpoint());
    default:
      return absl::StrCat(begin, "something this pilot is too old to know");
  }
}

std::string ReceiptLine(const v1::Change& change, const v1::Receipt& receipt) {
  const std::string from =
      absl::StrCat(" from batch ", receipt.applied_batch(), " on (receipt ", receipt.control_id(), ")");
  if (change.knob().follow_schedule()) {
    return absl::StrCat("eta follows its schedule, and is ", FormatNumber(receipt.value()), ",", from);
  }
  if (change.has_knob()) {
    return absl::StrCat(Printable(change.knob().name()), " is ", FormatNumber(receipt.value()), from);
  }
  if (change.target().has_pause()) {
    return absl::StrCat("paused at batch ", receipt.applied_batch(), " (receipt ", receipt.control_id(), ")");
  }
  if (!change.has_target()) return PluginReceiptLine(change, receipt);
  return absl::StrCat("target is ", static_cast<int64_t>(receipt.value()), from);
}

std::string StopLine(const std::string& run_id, const v1::StopResponse& response) {
  return absl::StrCat(run_id, " stopped at batch ", response.final_batch(), ", loss ",
                      FormatLoss(response.final_loss()), " (receipt ", response.receipt().control_id(), ")");
}

std::string LayerTable(const v1::RunFacts& facts) {
  std::vector<std::vector<std::string>> rows = {{"layer", "outputs", "parameters"}};
  for (const v1::LayerSummary& layer : facts.layers()) {
    rows.push_back({Printable(layer.description()), FormatCount(layer.outputs()), FormatCount(layer.parameters())});
  }
  rows.push_back({"total", "", FormatCount(facts.parameters())});
  return FormatTable(rows, {false, true, true}, kIndent);
}

std::string RunTable(const std::vector<v1::Run>& runs) {
  std::vector<std::vector<std::string>> rows = {{"run", "status", "batch", "target", "loss", "eta", "started"}};
  for (const v1::Run& run : runs) {
    const std::string status = StatusText(run.status(), run.idle_reason());
    rows.push_back({Printable(run.run_id()), HasNote(run) ? absl::StrCat(status, " !") : status,
                    FormatCount(run.batch()), FormatCount(run.target()), FormatLoss(run.loss()),
                    FormatNumber(run.eta()), FormatDateTime(run.create_time())});
  }
  return absl::StrCat(FormatTable(rows, {false, false, true, true, true, true, false}, ""), Notes(runs));
}

std::string RunPage(const v1::Run& run, absl::Time now) {
  std::vector<std::vector<std::string>> rows = {
      {"run", Printable(run.run_id())},
      {"status", StatusText(run.status(), run.idle_reason())},
      {"batch", absl::StrCat(FormatCount(run.batch()), " of ", FormatCount(run.target()))},
      {"loss", FormatLoss(run.loss())},
      {"eta", EtaText(run)},
      {"started", FormatDateTime(run.create_time())},
  };
  if (!run.status_message().empty()) {
    rows.insert(rows.begin() + 2, {"", PrintableLines(run.status_message(), " | ")});
  }
  if (run.has_spec()) rows.push_back({"optimizer", OptimizerWord(run.spec().optimizer().kind())});
  if (!run.spec().eta_schedule().empty()) rows.push_back({"schedule", Printable(run.spec().eta_schedule())});
  if (run.has_end_time()) rows.push_back({"ended", FormatDateTime(run.end_time())});
  const v1::RunFacts& facts = run.facts();
  if (facts.parameters() > 0) {
    rows.push_back({"data", absl::StrCat(ExamplesText(facts), ", ", FormatCount(facts.inputs()), " inputs, ",
                                         FormatCount(facts.batches_per_epoch()), " batches per epoch")});
  }
  for (std::vector<std::string>& row : UnusualRows(run)) rows.push_back(std::move(row));
  if (const std::string plugins = PluginNames(run); !plugins.empty()) rows.push_back({"plugins", plugins});
  for (std::vector<std::string>& row : LineageRows(run, now)) rows.push_back(std::move(row));
  if (!run.directory().empty()) rows.push_back({"directory", Printable(run.directory())});
  std::string page = FormatTable(rows, {false, false}, "");
  if (facts.layers_size() > 0) absl::StrAppend(&page, "\n", LayerTable(facts));
  if (run.knobs_size() == 0) return page;
  std::vector<std::vector<std::string>> knobs = {{"knob", "value", "from", "to", ""}};
  for (const v1::Knob& knob : run.knobs()) {
    knobs.push_back({Printable(knob.name()), FormatNumber(knob.value()), Bound(knob.minimum()), Bound(knob.maximum()),
                     Printable(knob.description())});
  }
  return absl::StrCat(page, "\n", FormatTable(knobs, {false, true, true, true, false}, kIndent));
}

}  // namespace pilothouse::client
