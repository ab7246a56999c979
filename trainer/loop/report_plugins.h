// The plugins that every run has: those that report.
#ifndef PILOTHOUSE_TRAINER_LOOP_REPORT_PLUGINS_H_
#define PILOTHOUSE_TRAINER_LOOP_REPORT_PLUGINS_H_

#include "trainer/loop/reporter.h"
#include "trainer/loop/run_state.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {

// Adds report-loss, report-state and heartbeat. How often they report is a matter of knobs (loss_interval, loss_every,
// state_every) and of ReportPolicy. What is referred to outlives the host.
void AddReportPlugins(const RunState& run, Reporter& reporter, PluginHost& host);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_REPORT_PLUGINS_H_
