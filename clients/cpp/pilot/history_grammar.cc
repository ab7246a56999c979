// The part of the grammar that is about what a run has reported.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/grammar.h"
#include "clients/cpp/pilot/history_help_text.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {

void Grammar::AddHistory() {
  CLI::App* const history = AddCommand("history", Command::kHistory, "Watching", kHistoryText,
                                       "pilot history [RUN] [OPTIONS]", kHistoryFooter);
  AddRun(history);
  AddHistoryOptions(history, "all but state");
  CLI::App* const export_to = AddCommand("export", Command::kExport, "Watching", kExportText,
                                         "pilot export [RUN] FILE|- [OPTIONS]", kExportFooter);
  ExportArguments& given = arguments_.export_to;
  AddWords(export_to, 1, [&given](const std::vector<std::string>& words) { given.file = words[0]; });
  AddValue(export_to, "--format", ParseExportFormat, &given.format, "FORMAT",
           "csv, jsonl, jsons or tensorboard (default: as the file's ending says)");
  AddHistoryOptions(export_to, "all");
}

void Grammar::AddHistoryOptions(CLI::App* app, const std::string& usual_kinds) {
  HistoryArguments& given = arguments_.history;
  AddValue(app, "--kinds", ParseKinds, &given.kinds, "KINDS",
           absl::StrCat("Only these: loss, status, control, state, plugin, checkpoint, separated by commas (default: ",
                        usual_kinds, ")"));
  AddValue(app, "--from", ParseBatch, &given.from, "BATCH", "Only events of this batch and later ones");
  AddValue(app, "--to", ParseBatch, &given.to, "BATCH", "Only events of this batch and earlier ones");
  AddValue(app, "--points", ParsePoints, &given.points, "N",
           "Thin losses to N at most; the least and the greatest of each stretch stay (default: all)");
  AddText(
      app, "--branch", &given.branch, "NAME",
      "Of this branch, from the run's beginning on; '*': everything, in the order it happened (default: the present "
      "line)");
}

}  // namespace pilothouse::client
