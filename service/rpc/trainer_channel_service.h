// TrainerChannel over gRPC's callback API: the connections of trainers, handed to their runs.
#ifndef PILOTHOUSE_SERVICE_RPC_TRAINER_CHANNEL_SERVICE_H_
#define PILOTHOUSE_SERVICE_RPC_TRAINER_CHANNEL_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "pilothouse/v1/trainer_channel.grpc.pb.h"
#include "service/runs/run_registry.h"

namespace pilothouse::service {

// Thread-safe. `runs` must outlive the server it is registered with.
class TrainerChannelService final : public v1::TrainerChannel::CallbackService {
 public:
  explicit TrainerChannelService(RunRegistry& runs) : runs_(runs) {}

  grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* Attach(grpc::CallbackServerContext* context) override;

 private:
  RunRegistry& runs_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_TRAINER_CHANNEL_SERVICE_H_
