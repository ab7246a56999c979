// Runs and receipts as JSON. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_JSON_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_JSON_H_

#include <string>

#include "clients/cpp/pilot/json_values.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

// Without its plugins.
Json RunAsJson(const v1::Run& run);
Json ReceiptAsJson(const std::string& run_id, const v1::Receipt& receipt);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_JSON_H_
