// Plugins in words and tables. Pure and thread-safe; all text is safe for a terminal (see Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_OUTPUT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/plugin.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// "wall_time", "after_batch"; empty where it is not specified.
std::string TimelineWord(v1::Timeline timeline);
std::string PointWord(v1::PluginPoint point);

// "each(100)"; "each(1000) on examples" where the units do not say so.
std::string ScheduleText(const std::string& schedule, v1::Timeline timeline);
// What a plugin is due at: "batch 300", "epoch 2.5", "in 14 s", "next validation", "at the end", "never", "-".
std::string NextDueText(const v1::PluginStatus& plugin);
// "loss 0.31, accuracy 0.94", "no gain for 5 validations; detached".
std::string ReportText(const v1::PluginReport& report);
// "validate: loss 0.31, accuracy 0.94", "early-stopping failed: …; detached".
std::string ReportLine(const v1::PluginReport& report);
// Of a change that plugins are attached, detached or rescheduled by, or that only plugins ask for:
// "attach save-best, each(100)", "parameters of run-b at batch 50".
std::string PluginControlText(const v1::ControlReport& control);
// "validate is attached after batch 120; 3 plugins now (receipt 57)". REQUIRES: a change of plugins.
std::string PluginReceiptLine(const v1::Change& change, const v1::Receipt& receipt);
// The names of those that somebody attached: "validate, early-stopping (failed 2 times)". Empty: none.
std::string PluginNames(const v1::Run& run);

// Tables and paragraphs for a terminal of `width` columns, each line ended.
std::string PluginTable(const v1::ListPluginsResponse& list, int width);
std::string PluginKindList(const std::vector<v1::PluginKind>& kinds, int width);

// All kinds, or the one of this name. PLUGIN_KIND_UNKNOWN, listing the names.
absl::StatusOr<std::vector<v1::PluginKind>> ChooseKinds(const v1::ListPluginKindsResponse& kinds,
                                                        const std::string& name);

// The schedule that an error is about, with a mark below the character that is wrong, each line after a line's end;
// empty for any other error.
std::string SchedulePointer(const absl::Status& status);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PLUGIN_OUTPUT_H_
