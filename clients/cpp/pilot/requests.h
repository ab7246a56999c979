// Arguments as requests. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_REQUESTS_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_REQUESTS_H_

#include <string>

#include "clients/cpp/pilot/arguments.h"
#include "clients/cpp/pilothouse_client/watch.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// `dataset_id`: of what was uploaded for it; empty where the arguments name a dataset or a file of the service.
v1::StartRunRequest BuildStartRequest(const StartArguments& arguments, const std::string& dataset_id);

// The first page.
v1::ReadHistoryRequest BuildHistoryRequest(const HistoryArguments& arguments, const std::string& run_id);

// How to watch `run`, which is as it was a moment ago. With `for_panel`, some of a living run's past comes too, to
// draw. An ended run is watched from its beginning, since nothing else will come.
WatchOptions BuildWatchOptions(const WatchArguments& arguments, const v1::Run& run, bool for_panel);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_REQUESTS_H_
