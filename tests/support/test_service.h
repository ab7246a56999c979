// A real service with real trainers, in this process, on a directory of its own, and what tests ask of it.
#ifndef PILOTHOUSE_TESTS_SUPPORT_TEST_SERVICE_H_
#define PILOTHOUSE_TESTS_SUPPORT_TEST_SERVICE_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "service/server/server.h"

namespace pilothouse::testing {

// The four XOR patterns as a table: two inputs and the target.
inline constexpr char kXorTable[] = "-0.5,-0.5,-0.5\n-0.5,0.5,0.5\n0.5,0.5,-0.5\n0.5,-0.5,0.5\n";

// Fails the test, and ends the program, when the service cannot be started: nothing could be tested then. Not
// thread-safe, save that any thread may make requests as long as none restarts the service.
class TestService {
 public:
  explicit TestService(int64_t max_dataset_bytes = service::kDefaultMaxDatasetBytes);
  // Its trainers are of another program than pilothouse-trainer.
  explicit TestService(const std::string& trainer_program);
  // With these options, save for what every service under test has: its directory, its address, and how long its
  // trainers stay without it. An empty trainer_program: pilothouse-trainer.
  explicit TestService(service::ServerOptions options);
  // Stops all runs.
  ~TestService();
  TestService(const TestService&) = delete;
  TestService& operator=(const TestService&) = delete;

  v1::TrainingControl::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const std::string& directory() const { return directory_; }
  service::Server& server() { return *server_; }

  // Ends the service without stopping its runs, and starts another on the same directory.
  void Restart();

  // Requests with the answer's error, or the answer. Each has a deadline of 60 s, so that a lost answer fails a test.
  absl::StatusOr<std::string> UploadTable(const std::string& text);
  absl::StatusOr<v1::Run> Start(const v1::RunSpec& spec, int64_t target = 0, const std::string& run_id = "",
                                const std::string& request_id = "");
  absl::StatusOr<v1::Receipt> SetEta(const std::string& run_id, double eta, const v1::ControlOptions& options = {});
  absl::StatusOr<v1::Receipt> SetKnob(const std::string& run_id, const std::string& name, double value,
                                      const v1::ControlOptions& options = {});
  absl::StatusOr<v1::Receipt> BatchTo(const std::string& run_id, int64_t batch, const v1::ControlOptions& options = {});
  absl::StatusOr<v1::Receipt> Retarget(const std::string& run_id, const v1::TargetChange& target);
  absl::StatusOr<v1::Receipt> AttachPlugin(const std::string& run_id, const v1::PluginSpec& plugin,
                                           const v1::ControlOptions& options = {});
  absl::StatusOr<v1::Receipt> DetachPlugin(const std::string& run_id, const std::string& name,
                                           const v1::ControlOptions& options = {});
  absl::StatusOr<v1::Receipt> ReschedulePlugin(const std::string& run_id, const std::string& name,
                                               const std::string& schedule, const v1::ControlOptions& options = {});
  absl::StatusOr<v1::ListPluginsResponse> Plugins(const std::string& run_id);
  absl::StatusOr<v1::ListPluginKindsResponse> PluginKinds();
  absl::StatusOr<v1::StopResponse> Stop(const std::string& run_id, const std::string& request_id = "");
  absl::StatusOr<v1::GetStateResponse> State(const std::string& run_id, bool with_vector = false);
  // The first page.
  absl::StatusOr<v1::ListRunsResponse> List();
  absl::StatusOr<std::vector<double>> Predict(const std::string& run_id, const std::vector<double>& inputs,
                                              int64_t columns);

  // The 2-2-1 tanh network on the XOR patterns, float64, full batch, half_mse, eta 0.1, from `state`.
  v1::RunSpec XorSpec(const std::vector<double>& state);
  // The same from 0.1, 0.2, … 0.9.
  v1::RunSpec XorSpec();
  // Started with XorSpec(); returns its id.
  std::string StartXor(int64_t target = 0);

  // The process of a run's trainer; 0 if there is none.
  static pid_t TrainerOf(const std::string& run_id);

 private:
  void StartServer();

  service::ServerOptions options_;
  std::string directory_;
  std::unique_ptr<service::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TrainingControl::Stub> stub_;
};

// Options with a request_id, or with at_batch and, where it is given, a request_id.
v1::ControlOptions WithRequestId(const std::string& request_id);
v1::ControlOptions AtBatch(int64_t batch, const std::string& request_id = "");

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_SUPPORT_TEST_SERVICE_H_
