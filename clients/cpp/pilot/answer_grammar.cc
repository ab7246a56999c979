// The part of the grammar that is about what a run's parameters answer and score.
#include <string>
#include <utility>

#include "clients/cpp/pilot/answer_help_text.h"
#include "clients/cpp/pilot/grammar.h"
#include "clients/cpp/pilot/option_values.h"
#include "clients/cpp/pilot/values.h"

namespace pilothouse::client {
namespace {

constexpr char kGroup[] = "Using what was learnt";

}  // namespace

void Grammar::AddModel(CLI::App* app, const std::string& description) {
  AddValue(app, "--model", ParseModel, &arguments_.model, "MODEL", description);
}

void Grammar::AddAnswers() {
  PredictArguments& given = arguments_.predict;
  CLI::App* const predict = AddCommand("predict", Command::kPredict, kGroup, kPredictText,
                                       "pilot predict [RUN] (--data FILE | --inputs X.npy) [OPTIONS]", kPredictFooter);
  AddRun(predict);
  const CLI::Validator exists = CLI::Validator(CLI::ExistingFile).description("");
  AddText(predict, "--data", &given.data, "FILE", "A table of inputs, as CSV, TSV or NPY")->check(exists);
  AddText(predict, "--inputs", &given.inputs, "X.npy", "An array of inputs, a row per example")->check(exists);
  AddModel(predict, "Whose answers: last (default), best, or a file in the run's folder saved, by its name");
  AddText(predict, "--output", &given.output, "FILE.csv", "Write the answers there");
  CLI::App* const evaluate = AddCommand("evaluate", Command::kEvaluate, kGroup, kEvaluateText,
                                        "pilot evaluate [RUN] [OPTIONS]", kEvaluateFooter);
  AddRun(evaluate);
  AddValue(evaluate, "--part", ParsePart, &arguments_.part, "PART",
           "On which examples: test (default), those kept for the end, or validation, those held out");
  AddModel(evaluate, "Whose scores: last (default), best, or a file in the run's folder saved, by its name");
}

}  // namespace pilothouse::client
