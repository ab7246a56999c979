// What the service answers when it cannot take a request on, whatever the request is.
#ifndef PILOTHOUSE_SERVICE_RUNS_SERVICE_REFUSALS_H_
#define PILOTHOUSE_SERVICE_RUNS_SERVICE_REFUSALS_H_

#include "absl/status/status.h"
#include "proto/support/error.h"

namespace pilothouse::service {

inline absl::Status Stopping() {
  return MakeError(v1::ERROR_REASON_SERVICE_STOPPING, "", "The service is shutting down.");
}

inline absl::Status Busy() {
  return MakeError(v1::ERROR_REASON_TOO_MANY_CONTROLS, "",
                   "The service has too much to do just now; try again shortly.");
}

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_SERVICE_REFUSALS_H_
