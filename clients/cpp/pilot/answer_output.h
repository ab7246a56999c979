// Whose parameters answered, and what they scored, in words. Pure and thread-safe; all text is safe for a terminal (see
// Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_OUTPUT_H_

#include <string>
#include <vector>

#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/plugin.pb.h"

namespace pilothouse::client {

// "last", "best"; empty: a file was asked for by its name.
std::string ModelWord(v1::Model model);
// "best: saved/best.safetensors, batch 1200", "last, batch 1200", "saved/swa.safetensors, batch 1200".
std::string ModelText(const v1::ModelUsed& model);
// "test", "validation".
std::string PartWord(v1::DataPart part);

// What was scored, apart from what was taken for what.
struct Scores {
  std::vector<v1::NamedValue> values;
  // Square: confusion[class][predicted]. Empty: not told.
  std::vector<std::vector<double>> confusion;
};
// Takes the counts "confusion.<class>.<predicted>" out of the values; one that is missing is 0.
Scores ToScores(const v1::EvaluateResponse& response);

// Several lines, each ended.
std::string EvaluationText(const std::string& run_id, const v1::EvaluateResponse& response);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_OUTPUT_H_
