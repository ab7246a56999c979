// Connections to a service. Thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CHANNEL_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pilothouse::client {

inline constexpr int kDefaultPort = 50051;

// "gpu-box" → "gpu-box:50051"; an address with a port or of the form "unix:PATH" stays as it is.
std::string CompleteAddress(absl::string_view address);

// For calls with one answer.
std::shared_ptr<grpc::Channel> NewCallChannel(const std::string& address);

// For one watch: a connection of its own, which takes little in advance of a reader that has stopped, and notices
// within half a minute (more, if `max_interval` of the watch is long) that the other side is gone without a word.
std::shared_ptr<grpc::Channel> NewWatchChannel(const std::string& address, absl::Duration max_interval);

// Waits until the channel is connected. UNAVAILABLE as soon as a first attempt has failed, or after `timeout`.
absl::Status AwaitConnection(grpc::Channel& channel, const std::string& address, absl::Duration timeout);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_CHANNEL_H_
