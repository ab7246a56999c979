// What the help says about predictions and scores, beside the list of options. The first line of a command's text is
// its entry in the list of commands.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_HELP_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_HELP_TEXT_H_

namespace pilothouse::client {

inline constexpr char kPredictText[] =
    R"(Ask the network for its answers
Inputs are given as for training, before any standardisation. Where both tables have a first line of names, inputs are
found by these, wherever they are, and all else is left out; otherwise they are taken in their order, and a table may
hold the columns of targets, weights and what was ignored as the one that was learnt from. For cross-entropy each
row's class and probability are shown, otherwise the outputs. Works on ended runs as well. A line on standard error
says whose answers these are: those of the last parameters, or of what --model names. best are the best that were
kept: what a plugin of kind save-best saved, or else those of the checkpoint with the lowest validation loss.)";

inline constexpr char kPredictFooter[] = R"(Examples:
  pilot predict digits --data new-digits.csv
  pilot predict digits --data new-digits.csv --model best
  pilot predict digits --inputs x.npy --output answers.csv

With --json: {run_id, model: {model: "last", "best" or null, file, batch}, first_batch, last_batch, outputs, classes,
probabilities}; file is null for the parameters of a run that lives.)";

inline constexpr char kEvaluateText[] =
    R"(Score what was learnt on examples that were not
Says the loss and, of classes, accuracy, balanced accuracy, ROC AUC (of two) and what was taken for what (of up to 30), or,
of numbers, R² and mean absolute error: weighted as the examples are, and as plugins of kind validate say them. The test
part is what `pilot start --test` kept for the end. Whoever picks among parameters or settings by what they score on it
has learnt from it: pick by --part validation, and look at the test part once. Changes nothing. Works on ended runs as
well, where their data are still there.)";

inline constexpr char kEvaluateFooter[] = R"(Examples:
  pilot evaluate digits --model best
  pilot evaluate digits --part validation --json | jq .values.accuracy

With --json: {run_id, part, model: {model: "last", "best" or null, file, batch}, examples, values: {name: number},
confusion: null or [[number]], a row for each class, in which each number counts those taken for one class}.)";

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_HELP_TEXT_H_
