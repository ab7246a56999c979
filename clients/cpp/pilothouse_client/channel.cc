#include "clients/cpp/pilothouse_client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/support/limits.h"

namespace pilothouse::client {
namespace {

constexpr absl::Duration kFirstReconnect = absl::Milliseconds(100);
// The transport's own default is two minutes: long after a service is back.
constexpr absl::Duration kLastReconnect = absl::Seconds(2);
constexpr absl::Duration kConnectAttempt = absl::Seconds(5);
constexpr absl::Duration kKeepaliveTime = absl::Seconds(20);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
// How much of a stream the transport takes before its reader asks for it.
constexpr int kWatchLookaheadBytes = 4096;

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

grpc::ChannelArguments CommonArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kFirstReconnect));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kLastReconnect));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(kConnectAttempt));
  // Channels with equal arguments would otherwise share one connection, and its fate.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

std::string CompleteAddress(absl::string_view address) {
  if (address.empty() || absl::StrContains(address, ":")) return std::string(address);
  return absl::StrCat(address, ":", kDefaultPort);
}

std::shared_ptr<grpc::Channel> NewCallChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), CommonArguments());
}

std::shared_ptr<grpc::Channel> NewWatchChannel(const std::string& address, absl::Duration max_interval) {
  grpc::ChannelArguments arguments = CommonArguments();
  arguments.SetInt("grpc.http2.bdp_probe", 0);
  arguments.SetInt("grpc.http2.lookahead_bytes", kWatchLookaheadBytes);
  // Servers end connections that ping more often than they send data; a watch hears something every max_interval.
  const absl::Duration quiet = std::max(kKeepaliveTime, 2 * max_interval);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(quiet));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status AwaitConnection(grpc::Channel& channel, const std::string& address, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    const bool refused = state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN;
    if (refused || !channel.WaitForStateChange(state, absl::ToChronoTime(deadline))) {
      return absl::UnavailableError(absl::StrCat("no service answers at ", address, "."));
    }
    state = channel.GetState(/*try_to_connect=*/true);
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::client
