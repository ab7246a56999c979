// What the help says about history and its export, beside the list of options. The first line of a command's text is
// its entry in the list of commands.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_HISTORY_HELP_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_HISTORY_HELP_TEXT_H_

namespace pilothouse::client {

inline constexpr char kHistoryText[] =
    R"(Show what a run has reported
One line for each event, from the journal; with --json one object a line, as `pilot watch --json` prints them, and
{"type": "damaged", "first": …, "last": …} where the journal cannot be read. Works on ended runs as well. RUN may be an
unambiguous beginning of a run's id.)";

inline constexpr char kHistoryFooter[] = R"(Examples:
  pilot history digits --kinds control
  pilot history digits --points 200 --kinds loss --json | jq .value
  pilot history digits --branch rewind-1 --from 4000)";

inline constexpr char kExportText[] =
    R"(Write what a run has reported to a file
Page by page, however long the run is. The file is written as FILE.tmp and gets its name when it is complete; - is
standard output. RUN may be an unambiguous beginning of a run's id.)";

inline constexpr char kExportFooter[] = R"(Formats:
  csv          a row for each event: sequence, batch, time, kind, name, value, previous_value, eta, origin, details
               loss: value, and eta for the next batch. status: name. control: name is that of the knob, the plugin or the
               control; value and previous_value are as they were then. state: value is eta, which the column eta holds
               too. plugin: name; value is its first one. checkpoint: name is the file; value its batch. details: all
               else, as JSON
  jsonl        an object for each event, one a line, as pilot watch --json prints them; where no batch was trained yet,
               its loss is null
  jsons        the observatory's log: {"loss": [batch, value]}, {"eta": [batch, value], "sv": [batch, [numbers]]} and
               {"eta": [batch, value]}, one object a line; a loss has "eta" as well where a schedule has changed it; null
               is a number that is NaN or infinite
  tensorboard  event files in the folder FILE, by the Python package: python3 (or PILOTHOUSE_PYTHON) must have it

Examples:
  pilot export digits digits.csv
  pilot export digits - --format jsonl --kinds plugin | jq .values
  pilot export digits logs/digits --format tensorboard)";

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_HISTORY_HELP_TEXT_H_
