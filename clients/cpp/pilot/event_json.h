// Events as JSON: of `watch --json`, `history --json` and `export`. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_EVENT_JSON_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_EVENT_JSON_H_

#include <string>

#include "clients/cpp/pilot/json_values.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

// "TARGET_REACHED"; empty for a run that is not idle.
std::string IdleReasonWord(v1::IdleReason reason);

// See `pilot watch --help`.
Json EventAsJson(const v1::Event& event);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_EVENT_JSON_H_
