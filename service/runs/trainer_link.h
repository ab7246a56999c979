// A connection to an attached trainer, as a run sees it.
#ifndef PILOTHOUSE_SERVICE_RUNS_TRAINER_LINK_H_
#define PILOTHOUSE_SERVICE_RUNS_TRAINER_LINK_H_

#include "absl/status/status.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// Thread-safe. Calls never wait and never call back into the run from the same call.
class TrainerLink {
 public:
  virtual ~TrainerLink() = default;

  // Queues a message. Messages leave in order; after the connection broke they are dropped.
  virtual void Send(v1::AttachResponse message) = 0;

  // The run is done with the last message it was given and is ready for one more: that is the backpressure on a
  // trainer.
  virtual void ReadNext() = 0;

  // Ends the connection. OK is a goodbye; an error tells the trainer what is wrong with it.
  virtual void Close(const absl::Status& status) = 0;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_TRAINER_LINK_H_
