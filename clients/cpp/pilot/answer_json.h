// Whose parameters answered, and what they scored, as JSON. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_JSON_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_JSON_H_

#include <string>

#include "clients/cpp/pilot/json_values.h"
#include "pilothouse/v1/model.pb.h"

namespace pilothouse::client {

// {"model": "best", "file": "saved/best.safetensors", "batch": 1200}; null for what is not there.
Json ModelAsJson(const v1::ModelUsed& model);

// On one line: see `pilot evaluate --help`.
std::string EvaluationJson(const std::string& run_id, const v1::EvaluateResponse& response);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_ANSWER_JSON_H_
