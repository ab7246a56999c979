// UploadDataset: chunks come in one at a time, each written to the disk on the work pool before the next is read.
#ifndef PILOTHOUSE_SERVICE_RPC_UPLOAD_REACTOR_H_
#define PILOTHOUSE_SERVICE_RPC_UPLOAD_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include "pilothouse/v1/training_control.pb.h"
#include "service/journal/work_pool.h"
#include "service/rpc/upload_slots.h"
#include "service/runs/dataset_store.h"

namespace pilothouse::service {

// Returns the reactor that gRPC is to be given; it deletes itself. The others must outlive it.
grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(grpc::CallbackServerContext& context,
                                                               const DatasetStore& datasets, WorkPool& pool,
                                                               UploadSlots& slots, v1::UploadDatasetResponse* response);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_UPLOAD_REACTOR_H_
