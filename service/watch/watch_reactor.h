// WatchTraining as gRPC sees it: one reactor for each watch. The only gRPC in this folder; what to send and when is
// decided in WatchSession.
#ifndef PILOTHOUSE_SERVICE_WATCH_WATCH_REACTOR_H_
#define PILOTHOUSE_SERVICE_WATCH_WATCH_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "pilothouse/v1/training_control.pb.h"
#include "service/journal/work_pool.h"
#include "service/watch/event_hub.h"
#include "service/watch/watch_registry.h"

namespace pilothouse::service {

using WatchWriteReactor = grpc::ServerWriteReactor<v1::WatchTrainingResponse>;

// Begins a watch of the run behind `hub`, whose journal is at `journal_path`, and returns the reactor that gRPC is to
// be given; it deletes itself. For a run that has ended, `hub` is closed and was given the run with SetRun. A request
// that is refused (INTERVAL_INVALID, SEQUENCE_OUT_OF_RANGE, TOO_MANY_WATCHERS, SERVICE_STOPPING) gets a reactor that
// finishes with that error. `registry` and `pool` must live until registry.AwaitNone() has returned. Never blocks.
WatchWriteReactor* StartWatch(const v1::WatchTrainingRequest& request, std::shared_ptr<EventHub> hub,
                              std::string journal_path, WatchRegistry& registry, WorkPool& pool);

// A reactor that does nothing but finish with `error`, and deletes itself.
WatchWriteReactor* RefuseWatch(const absl::Status& error);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_WATCH_WATCH_REACTOR_H_
