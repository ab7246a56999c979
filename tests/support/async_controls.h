// Controls that are asked without waiting for their answers, all on one channel.
#ifndef PILOTHOUSE_TESTS_SUPPORT_ASYNC_CONTROLS_H_
#define PILOTHOUSE_TESTS_SUPPORT_ASYNC_CONTROLS_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "proto/support/mutex.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {

// Used by one thread. Must not outlive the service.
class AsyncControls {
 public:
  using Answer = absl::StatusOr<v1::Receipt>;

  explicit AsyncControls(TestService& service) : service_(service) {}
  // Cancels what was not answered.
  ~AsyncControls();
  AsyncControls(const AsyncControls&) = delete;
  AsyncControls& operator=(const AsyncControls&) = delete;

  // Ask, and return the number of the control: its place in answers(). Each has a deadline of 60 s. Controls asked one
  // after the other may arrive in another order.
  size_t SetEta(const std::string& run_id, double eta, const v1::ControlOptions& options = {});
  size_t BatchTo(const std::string& run_id, int64_t batch, const v1::ControlOptions& options = {});

  // Ask for a control that will wait for its batch, and return when the service has passed it on to the trainer, so
  // that whatever is asked from now on comes to the trainer after it. nullopt if that does not happen. REQUIRES:
  // request_id and at_batch are set.
  std::optional<size_t> SetEtaAhead(const std::string& run_id, double eta, const v1::ControlOptions& options);
  std::optional<size_t> BatchToAhead(const std::string& run_id, int64_t batch, const v1::ControlOptions& options);

  // Waits until `enough` of the answers is true; false if it is not when all have come or after `patience`.
  bool WaitFor(const std::function<bool(const std::vector<std::optional<Answer>>&)>& enough,
               std::chrono::seconds patience = std::chrono::seconds(60));
  // The answer to one control; DEADLINE_EXCEEDED if it does not come.
  Answer Wait(size_t number);
  // Those to all of them, in the order of asking.
  std::vector<Answer> WaitForAll();

 private:
  template <typename Request, typename Response>
  struct Call;

  template <typename Request, typename Response, typename Method>
  size_t Ask(Request request, Method method);
  std::optional<size_t> Ahead(const std::string& run_id, const std::string& request_id,
                              const std::function<size_t()>& ask);
  std::optional<Answer> AnswerTo(size_t number);

  TestService& service_;
  std::vector<std::shared_ptr<grpc::ClientContext>> contexts_;
  Mutex mutex_;
  CondVar answered_;
  // nullopt: not answered yet.
  std::vector<std::optional<Answer>> answers_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace pilothouse::testing

#endif  // PILOTHOUSE_TESTS_SUPPORT_ASYNC_CONTROLS_H_
