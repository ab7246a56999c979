// What shows that a service is older than this client: it lacks calls, and passes over fields that it does not know.
// Errors are UNIMPLEMENTED, without a reason. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_OLDER_SERVICE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_OLDER_SERVICE_H_

#include <string>

#include "absl/status/status.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

// For a call that what answers at `address` does not know.
absl::Status UnknownCall(const std::string& address);

// Whether others than the last parameters may have been meant though the last were used: an older service knows no
// others, and does not say which it has used (`told`).
absl::Status CheckModelUsed(const v1::ModelChoice& asked, bool told);

// Whether the run has the validation and test parts that were asked for by their size, and that no service which knows
// of them leaves empty. A run whose facts are not known passes.
absl::Status CheckPartsKept(const v1::DataSpec& asked, const v1::Run& started);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_OLDER_SERVICE_H_
