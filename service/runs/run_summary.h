// The run as it is now, as its reports tell it. Pure.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_SUMMARY_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_SUMMARY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// STOPPED, COMPLETED or FAILED: nothing more will happen.
bool IsTerminal(v1::RunStatus status);

// The name without its prefix: "STOPPED".
std::string StatusName(v1::RunStatus status);

// RUN_ENDED, for a control that comes too late; `instead` says what else can be done, and may be empty.
absl::Status RunEnded(const v1::Run& run, absl::string_view instead = "");
absl::Status RunEnded(const v1::Run& run, const v1::Change& change);

// Changes `run` by what `event`, with its sequence, says happened.
void ApplyEvent(const v1::Event& event, v1::Run& run);

// Changes `run` by what comes along with a report: knobs, resume target and plugins. The event itself is not applied.
void ApplyReportContext(const v1::Report& report, v1::Run& run);

// Changes `run` by what a trainer answered about itself when it was asked with include_plugins.
void ApplyAnswer(const v1::StateAnswer& answer, v1::Run& run);

// The spec without the values of its initial state, which nobody wants in every message.
void DropLargeValues(v1::RunSpec& spec);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_SUMMARY_H_
