// What all commands share: the connection, the choice of the run, and how errors are told. One thread only.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_SESSION_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_SESSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/pilot/arguments.h"
#include "clients/cpp/pilothouse_client/client.h"

namespace pilothouse::client {

// Prints the error, as a sentence or as JSON, to standard error, and returns `exit_code`.
int PrintError(const absl::Status& status, int exit_code, bool json);
// Errors without a reason that are not the transport's come from the command line and the local files it names.
int ExitCodeOf(const absl::Status& status);
// "sentence [REASON, field]"; of a schedule that cannot be read, the place in lines of their own.
std::string ErrorText(const absl::Status& status);

// A connection for one command line.
class Session {
 public:
  static absl::StatusOr<Session> Open(const GlobalArguments& arguments);

  const Client& client() const { return *client_; }
  bool json() const { return json_; }

  // Prints what the service said and returns the exit code for it.
  int Fail(const absl::Status& status) const;
  // A line to standard output.
  void Print(const std::string& line) const;

  // A line to standard error, for a person; nothing with --json.
  void Note(const std::string& line) const;

  // To standard error, for a person: that a change is waited for, which is not taken back by who stops waiting; and, of
  // a run that is paused or whose target lies before that batch, what has to be done for it to come there. Nothing for
  // one that is made at once, for a batch that has passed, or of a run that has ended.
  void NoteWaiting(const std::string& run_id, const ChangeOptions& options) const;

  // The batch after which the parameters stood so that are the best the run has kept. A person is told which they are,
  // on standard error. BATCH_OUT_OF_RANGE if it is one of a branch, not of the present line.
  absl::StatusOr<int64_t> BatchOfBest(const std::string& run_id) const;

  // All runs, or the newest `limit`.
  absl::StatusOr<std::vector<v1::Run>> ListRuns(size_t limit) const;
  // The run to change: as given, or the only one that is alive. INVALID_ARGUMENT without a reason (wrong usage) if none
  // is given and there is not exactly one.
  absl::StatusOr<std::string> RunToChange(const std::string& given) const;
  // The run to look at, as it is now: as given, or the only one whose id begins so. If none is given: the only one that
  // is alive, or, where none is, the newest.
  absl::StatusOr<v1::Run> RunToRead(const std::string& given) const;

 private:
  Session(std::unique_ptr<Client> client, bool json);

  std::unique_ptr<Client> client_;
  bool json_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_SESSION_H_
