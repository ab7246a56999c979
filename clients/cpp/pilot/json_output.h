// What `--json` prints: one object, on one line, with field names that stay. Numbers that JSON cannot hold are the
// strings "NaN", "Infinity" and "-Infinity"; times are RFC 3339. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "clients/cpp/pilothouse_client/watch.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

std::string RunJson(const v1::Run& run);
// {"runs": […]}.
std::string RunsJson(const std::vector<v1::Run>& runs);
// {"run": …, "model": … or null (the last parameters), "state": [...] or null}.
std::string StateJson(const v1::GetStateResponse& response);
std::string ReceiptJson(const std::string& run_id, const v1::Receipt& receipt);
std::string StopJson(const std::string& run_id, const v1::StopResponse& response);
// {"error": {…}}.
std::string ErrorJson(const absl::Status& status, int exit_code);
// Every part of the item as a line, each ended: see `pilot watch --help`.
std::string WatchLines(const WatchItem& item);

// A page of history as lines, each ended: see `pilot history --help`.
std::string HistoryLines(const v1::ReadHistoryResponse& page);
// {"run_id": …, "file": …, "events": …}.
std::string ExportJson(const std::string& run_id, const std::string& file, int64_t events);

// A prediction's rows.
struct Prediction {
  std::string run_id;
  // Whose answers the last ones are.
  v1::ModelUsed model;
  // The batches after which the parameters stood so; they differ if the run trained on between two requests.
  int64_t first_batch = 0;
  int64_t last_batch = 0;
  int64_t width = 0;
  // Row-major.
  std::vector<double> outputs;
  // The most probable class of each row and its probability; empty where the loss is not cross-entropy.
  std::vector<int64_t> classes;
  std::vector<double> probabilities;
};
std::string PredictionJson(const Prediction& prediction);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_OUTPUT_H_
