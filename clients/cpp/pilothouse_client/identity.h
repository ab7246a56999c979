// Who asks, and under which id: what a client writes into every change. Thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_IDENTITY_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_IDENTITY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace pilothouse::client {

// 128 random bits as 32 hexadecimal digits, from the operating system.
std::string NewRequestId();

// "ana@lab/pilot": user and host of this process, then `program`. Without control characters, at most kMaxOriginBytes.
std::string DefaultOrigin(absl::string_view program);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_IDENTITY_H_
