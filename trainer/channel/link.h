// The trainer's connection to the service: made, kept and made again, for as long as the run lives.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_LINK_H_
#define PILOTHOUSE_TRAINER_CHANNEL_LINK_H_

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "trainer/channel/attachment.h"
#include "trainer/channel/run_host.h"

namespace pilothouse::trainer {

struct LinkOptions {
  // gRPC's name of the service's address: "unix:/run/pilothouse/trainers.sock".
  std::string service;
  // After so long without a service, the trainer makes a checkpoint and ends.
  std::chrono::nanoseconds orphan_timeout = std::chrono::hours(24);
  // How long a new trainer looks for the service.
  std::chrono::nanoseconds first_patience = std::chrono::seconds(30);
  // How long a trainer that ends tries to get rid of its reports.
  std::chrono::nanoseconds last_patience = std::chrono::seconds(30);
  // How long a refused spec waits for the service to hang up.
  std::chrono::nanoseconds refusal_patience = std::chrono::seconds(2);
  // Between two attempts to attach; doubles from the first to the last.
  std::chrono::nanoseconds first_backoff = std::chrono::milliseconds(100);
  std::chrono::nanoseconds last_backoff = std::chrono::seconds(2);
};

enum class LinkEnd {
  kStopped,      // the run has ended; its last status says how
  kSuspended,    // told to end, or left alone for too long: another trainer is to go on with the run
  kNoService,    // there was never a service that wanted this trainer
  kSpecRefused,  // the run could not be built, and the service was told so
  kBroken,       // training ended, the run did not: another trainer may go on from what is recorded
  kRemoved,      // the run's directory is gone, and no service is there: the run goes with it
};

class Link {
 public:
  // `host` outlives the link.
  Link(LinkOptions options, const TrainerIdentity& identity, RunHost& host);

  // Attaches, lets the host build and start the run, and keeps attached until the run has stopped and the service has
  // all its reports, or patience ends. What it has not stays in the run's directory. Call once.
  LinkEnd Run();

 private:
  using Time = std::chrono::steady_clock::time_point;

  // Until the end that it returns.
  LinkEnd Stay();
  // One attempt, from Hello to the end of the stream, whose status it returns.
  absl::Status AttachOnce();
  // Notes what has happened since the last look, keeps what is to be kept, and leaves a run that was left alone for too
  // long.
  void Look();
  // When the present stream is to be broken off although it lives; nullopt: not for any reason known now.
  std::optional<Time> BreakOffTime() const;
  // Whether this is the end, now that a stream has ended with `status`.
  std::optional<LinkEnd> End(const absl::Status& status) const;

  const LinkOptions options_;
  const TrainerIdentity identity_;
  RunHost& host_;
  AttachmentProgress progress_;
  // At the last look.
  Time now_;
  Time began_;
  Time last_attached_;
  // Since when the spec is refused; since when the run has reported its last, or was left.
  std::optional<Time> refused_since_;
  std::optional<Time> ended_since_;
  bool orphaned_ = false;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_LINK_H_
