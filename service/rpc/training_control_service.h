// TrainingControl over gRPC's callback API: validate, find the run, ask it, answer. Nothing here waits.
#ifndef PILOTHOUSE_SERVICE_RPC_TRAINING_CONTROL_SERVICE_H_
#define PILOTHOUSE_SERVICE_RPC_TRAINING_CONTROL_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "pilothouse/v1/training_control.grpc.pb.h"
#include "service/journal/work_pool.h"
#include "service/rpc/byte_budget.h"
#include "service/rpc/read_history.h"
#include "service/rpc/upload_slots.h"
#include "service/runs/dataset_store.h"
#include "service/runs/run_registry.h"
#include "service/watch/watch_registry.h"

namespace pilothouse::service {

// Thread-safe. Everything given to it must outlive the server it is registered with.
class TrainingControlService final : public v1::TrainingControl::CallbackService {
 public:
  // `pool` is for starts and uploads, `history_pool` for whoever reads a journal.
  TrainingControlService(RunRegistry& runs, const DatasetStore& datasets, WatchRegistry& watches, WorkPool& pool,
                         WorkPool& history_pool)
      : runs_(runs), datasets_(datasets), watches_(watches), pool_(pool), history_pool_(history_pool) {}

  grpc::ServerUnaryReactor* StartRun(grpc::CallbackServerContext* context, const v1::StartRunRequest* request,
                                     v1::StartRunResponse* response) override;
  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* context, const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context, const v1::GetStateRequest* request,
                                     v1::GetStateResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchTrainingResponse>* WatchTraining(grpc::CallbackServerContext* context,
                                                                     const v1::WatchTrainingRequest* request) override;
  grpc::ServerUnaryReactor* SetEta(grpc::CallbackServerContext* context, const v1::SetEtaRequest* request,
                                   v1::SetEtaResponse* response) override;
  grpc::ServerUnaryReactor* SetKnob(grpc::CallbackServerContext* context, const v1::SetKnobRequest* request,
                                    v1::SetKnobResponse* response) override;
  grpc::ServerUnaryReactor* BatchTo(grpc::CallbackServerContext* context, const v1::BatchToRequest* request,
                                    v1::BatchToResponse* response) override;
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext* context, const v1::StopRequest* request,
                                 v1::StopResponse* response) override;
  grpc::ServerUnaryReactor* AttachPlugin(grpc::CallbackServerContext* context, const v1::AttachPluginRequest* request,
                                         v1::AttachPluginResponse* response) override;
  grpc::ServerUnaryReactor* DetachPlugin(grpc::CallbackServerContext* context, const v1::DetachPluginRequest* request,
                                         v1::DetachPluginResponse* response) override;
  grpc::ServerUnaryReactor* ReschedulePlugin(grpc::CallbackServerContext* context,
                                             const v1::ReschedulePluginRequest* request,
                                             v1::ReschedulePluginResponse* response) override;
  grpc::ServerUnaryReactor* ListPlugins(grpc::CallbackServerContext* context, const v1::ListPluginsRequest* request,
                                        v1::ListPluginsResponse* response) override;
  grpc::ServerUnaryReactor* ListPluginKinds(grpc::CallbackServerContext* context,
                                            const v1::ListPluginKindsRequest* request,
                                            v1::ListPluginKindsResponse* response) override;
  grpc::ServerUnaryReactor* SaveCheckpoint(grpc::CallbackServerContext* context,
                                           const v1::SaveCheckpointRequest* request,
                                           v1::SaveCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const v1::ListCheckpointsRequest* request,
                                            v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* Rewind(grpc::CallbackServerContext* context, const v1::RewindRequest* request,
                                   v1::RewindResponse* response) override;
  grpc::ServerUnaryReactor* Fork(grpc::CallbackServerContext* context, const v1::ForkRequest* request,
                                 v1::ForkResponse* response) override;
  grpc::ServerUnaryReactor* ReadHistory(grpc::CallbackServerContext* context, const v1::ReadHistoryRequest* request,
                                        v1::ReadHistoryResponse* response) override;
  grpc::ServerReadReactor<v1::UploadDatasetRequest>* UploadDataset(grpc::CallbackServerContext* context,
                                                                   v1::UploadDatasetResponse* response) override;
  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context, const v1::PredictRequest* request,
                                    v1::PredictResponse* response) override;
  grpc::ServerUnaryReactor* Evaluate(grpc::CallbackServerContext* context, const v1::EvaluateRequest* request,
                                     v1::EvaluateResponse* response) override;

 private:
  // Of parameters that were kept. REQUIRES: the choice is valid, and IsSavedModel.
  grpc::ServerUnaryReactor* AnswerSavedState(const v1::GetStateRequest& request, v1::GetStateResponse* response);

  RunRegistry& runs_;
  const DatasetStore& datasets_;
  WatchRegistry& watches_;
  WorkPool& pool_;
  WorkPool& history_pool_;
  ByteBudget budget_;
  UploadSlots uploads_;
  ThinnedLossesCache thinned_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_TRAINING_CONTROL_SERVICE_H_
