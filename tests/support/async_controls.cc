#include "tests/support/async_controls.h"

#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "proto/support/grpc_error.h"

namespace pilothouse::testing {
namespace {

constexpr std::chrono::seconds kPatience{60};
// Of asking whether a control has been passed on; the first time nearly always tells.
constexpr int kMaxProbes = 10'000;

AsyncControls::Answer NotAnswered() { return absl::DeadlineExceededError("The control was not answered."); }

}  // namespace

AsyncControls::~AsyncControls() {
  for (const auto& context : contexts_) context->TryCancel();
  // Every call ends, at once when it is cancelled; until then its callback uses this object.
  MutexLock lock(mutex_);
  while (unanswered_ > 0) answered_.Wait(mutex_);
}

template <typename Request, typename Response>
struct AsyncControls::Call {
  Request request;
  Response response;
};

template <typename Request, typename Response, typename Method>
size_t AsyncControls::Ask(Request request, Method method) {
  auto context = std::make_shared<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + kPatience);
  contexts_.push_back(context);
  size_t number = 0;
  {
    MutexLock lock(mutex_);
    number = answers_.size();
    answers_.emplace_back();
    ++unanswered_;
  }
  auto call = std::make_shared<Call<Request, Response>>();
  call->request = std::move(request);
  (service_.stub().async()->*method)(
      context.get(), &call->request, &call->response, [this, context, call, number](const grpc::Status& status) {
        MutexLock lock(mutex_);
        answers_[number] = status.ok() ? Answer(call->response.receipt()) : Answer(FromGrpcStatus(status));
        --unanswered_;
        answered_.NotifyAll();
      });
  return number;
}

size_t AsyncControls::SetEta(const std::string& run_id, double eta, const v1::ControlOptions& options) {
  v1::SetEtaRequest request;
  request.set_run_id(run_id);
  request.set_eta(eta);
  *request.mutable_options() = options;
  using Method = void (v1::TrainingControl::Stub::async::*)(grpc::ClientContext*, const v1::SetEtaRequest*,
                                                            v1::SetEtaResponse*, std::function<void(grpc::Status)>);
  return Ask<v1::SetEtaRequest, v1::SetEtaResponse, Method>(std::move(request),
                                                            &v1::TrainingControl::Stub::async::SetEta);
}

size_t AsyncControls::BatchTo(const std::string& run_id, int64_t batch, const v1::ControlOptions& options) {
  v1::BatchToRequest request;
  request.set_run_id(run_id);
  request.mutable_target()->set_batch(batch);
  *request.mutable_options() = options;
  using Method = void (v1::TrainingControl::Stub::async::*)(grpc::ClientContext*, const v1::BatchToRequest*,
                                                            v1::BatchToResponse*, std::function<void(grpc::Status)>);
  return Ask<v1::BatchToRequest, v1::BatchToResponse, Method>(std::move(request),
                                                              &v1::TrainingControl::Stub::async::BatchTo);
}

std::optional<size_t> AsyncControls::SetEtaAhead(const std::string& run_id, double eta,
                                                 const v1::ControlOptions& options) {
  return Ahead(run_id, options.request_id(), [&] { return SetEta(run_id, eta, options); });
}

std::optional<size_t> AsyncControls::BatchToAhead(const std::string& run_id, int64_t batch,
                                                  const v1::ControlOptions& options) {
  return Ahead(run_id, options.request_id(), [&] { return BatchTo(run_id, batch, options); });
}

// Who asks for something else with the request_id of a control under way is told so. Before the control is under way,
// the same question is refused as well, since no run has such a knob, and changes nothing.
std::optional<size_t> AsyncControls::Ahead(const std::string& run_id, const std::string& request_id,
                                           const std::function<size_t()>& ask) {
  size_t number = ask();
  for (int i = 0; i < kMaxProbes; ++i) {
    const absl::Status probe = service_.SetKnob(run_id, "no-such-knob", 0, WithRequestId(request_id)).status();
    if (ReasonOf(probe) == v1::ERROR_REASON_REQUEST_ID_REUSED) return number;
    const std::optional<Answer> answer = AnswerTo(number);
    if (!answer.has_value()) continue;
    // The control met the question on its way, and was the one to be refused.
    if (ReasonOf(answer->status()) != v1::ERROR_REASON_REQUEST_ID_REUSED) return std::nullopt;
    number = ask();
  }
  return std::nullopt;
}

std::optional<AsyncControls::Answer> AsyncControls::AnswerTo(size_t number) {
  MutexLock lock(mutex_);
  return answers_[number];
}

bool AsyncControls::WaitFor(const std::function<bool(const std::vector<std::optional<Answer>>&)>& enough,
                            std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  MutexLock lock(mutex_);
  while (!enough(answers_)) {
    if (unanswered_ == 0 || !answered_.WaitUntil(mutex_, deadline)) return false;
  }
  return true;
}

AsyncControls::Answer AsyncControls::Wait(size_t number) {
  WaitFor([number](const auto& answers) { return answers[number].has_value(); });
  return AnswerTo(number).value_or(NotAnswered());
}

std::vector<AsyncControls::Answer> AsyncControls::WaitForAll() {
  WaitFor([](const auto& answers) {
    return std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.has_value(); });
  });
  std::vector<Answer> all;
  MutexLock lock(mutex_);
  for (const auto& answer : answers_) all.push_back(answer.value_or(NotAnswered()));
  return all;
}

}  // namespace pilothouse::testing
