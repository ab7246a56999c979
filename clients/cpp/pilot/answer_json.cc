#include "clients/cpp/pilot/answer_json.h"

#include <utility>
#include <vector>

#include "clients/cpp/pilot/answer_output.h"

namespace pilothouse::client {

Json ModelAsJson(const v1::ModelUsed& model) {
  const std::string word = ModelWord(model.model());
  return {{"model", word.empty() ? Json() : Json(word)},
          {"file", model.file().empty() ? Json() : Json(model.file())},
          {"batch", model.batch()}};
}

std::string EvaluationJson(const std::string& run_id, const v1::EvaluateResponse& response) {
  const Scores scores = ToScores(response);
  Json values = Json::object();
  for (const v1::NamedValue& value : scores.values) values[value.name()] = JsonNumber(value.value());
  Json confusion;
  for (const std::vector<double>& row : scores.confusion) confusion.push_back(JsonNumbers(row));
  return Dump({{"run_id", run_id},
               {"part", PartWord(response.part())},
               {"model", ModelAsJson(response.model())},
               {"examples", response.examples()},
               {"values", std::move(values)},
               {"confusion", std::move(confusion)}});
}

}  // namespace pilothouse::client
