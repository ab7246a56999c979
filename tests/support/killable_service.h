// A service in a process of its own, which can be killed, and clients that ask until they are answered.
#ifndef PILOTHOUSE_TESTS_SUPPORT_KILLABLE_SERVICE_H_
#define PILOTHOUSE_TESTS_SUPPORT_KILLABLE_SERVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "service/runs/process.h"

namespace pilothouse::testing {

// The programs under test.
struct Programs {
  std::string pilothoused;
  std::string trainer;
};

// Used by one thread, save that any thread may ask through stub() while nobody starts or kills the service.
class KillableService {
 public:
  // With these options besides those that every service under test has.
  explicit KillableService(Programs programs, std::vector<std::string> options = {});
  ~KillableService();
  KillableService(const KillableService&) = delete;
  KillableService& operator=(const KillableService&) = delete;

  // Returns when it serves; fails the test if it does not within a minute.
  void Start();
  void Kill();

  std::shared_ptr<v1::TrainingControl::Stub> stub() const { return stub_; }
  const std::string& directory() const { return directory_; }
  std::string RunDirectory(const std::string& run_id) const { return directory_ + "/runs/" + run_id; }

  // Uploads a table; returns the dataset's id.
  std::string Upload(const std::string& table);
  // Starts a run; returns its id.
  std::string StartRun(const v1::StartRunRequest& request);
  // What replaying a run says, in a process of its own and without the service; an error if it is not identical.
  absl::StatusOr<std::string> Replay(const std::string& run_directory,
                                     const std::vector<std::string>& options = {}) const;

  // Asks until it is answered, as clients do while a service is away; polled for two minutes at most, since what a test
  // waits for is the end or the beginning of another process.
  static bool Retry(const std::function<bool()>& ask);

 private:
  std::string Address() const { return "unix:" + directory_ + "/clients.sock"; }
  void End(int signal);

  const Programs programs_;
  const std::vector<std::string> options_;
  std::string directory_;
  std::optional<service::ChildProcess> process_;
  std::shared_ptr<v1::TrainingControl::Stub> stub_;
};

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_SUPPORT_KILLABLE_SERVICE_H_
