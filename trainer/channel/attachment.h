// One stream between the trainer and the service, from Hello to its end.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_ATTACHMENT_H_
#define PILOTHOUSE_TRAINER_CHANNEL_ATTACHMENT_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "pilothouse/v1/trainer_channel.grpc.pb.h"
#include "trainer/channel/outbox.h"
#include "trainer/channel/run_host.h"

namespace pilothouse::trainer {

// How far the trainer has come with the service, over all its streams. Written by the stream's thread.
struct AttachmentProgress {
  // Streams on which a Welcome came.
  std::atomic<int> welcomes{0};
  // Between a Welcome and the end of its stream.
  std::atomic<bool> attached{false};
  // The run was built and trains, or has trained.
  std::atomic<bool> started{false};
  // The service has taken a report, and so has surely received Prepared.
  std::atomic<bool> confirmed{false};
  // The run cannot be built; the service was told so.
  std::atomic<bool> refused{false};
  std::atomic<bool> refusal_told{false};
};

// Who attaches.
struct TrainerIdentity {
  std::string run_id;
  std::string token;
};

class Attachment {
 public:
  // Everything referred to outlives the attachment.
  Attachment(const std::string& service, const TrainerIdentity& identity, RunHost& host, AttachmentProgress& progress);
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  // Says Hello, builds and starts the run when this is the first Welcome, then moves messages both ways until the
  // stream ends, or until the run's last report was taken. Returns the status the stream ended with. Blocks; call once.
  absl::Status Run();

  // Makes Run() return soon. From any thread.
  void BreakOff() { context_.TryCancel(); }

 private:
  using Stream = grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>;

  // Each returns false when the stream is not to be carried on with.
  bool Greet();
  bool Prepare(const v1::Welcome& welcome);
  void RefuseSpec(const absl::Status& error);
  // Uses the message up.
  bool Handle(v1::AttachResponse& message);
  void Taken(uint64_t number);

  void ReadAll();
  void WriteAll();
  // Waits for the service to hang up.
  void Drain();

  const TrainerIdentity& identity_;
  RunHost& host_;
  Outbox& outbox_;
  AttachmentProgress& progress_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::TrainerChannel::Stub> stub_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_ATTACHMENT_H_
