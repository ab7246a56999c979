#include "trainer/channel/attachment.h"

#include <unistd.h>

#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"
#include "proto/support/log.h"
#include "trainer/channel/messages.h"

namespace pilothouse::trainer {
namespace {

std::shared_ptr<grpc::Channel> Dial(const std::string& service) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A connection of its own, so that a former one that failed does not hold up this one with its backoff.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(service, grpc::InsecureChannelCredentials(), arguments);
}

// An error of this run, for the client it goes to.
void NameRun(const std::string& run_id, v1::Error& error) {
  if (error.reason() == v1::ERROR_REASON_RUN_ENDED) (*error.mutable_metadata())["run_id"] = run_id;
}

// A message for what the outbox gives.
struct RequestMaker {
  const std::string& run_id;

  v1::AttachRequest operator()(const std::vector<NumberedReport>& reports) const {
    v1::AttachRequest request;
    request.mutable_reports();
    for (const NumberedReport& report : reports) *request.mutable_reports()->add_reports() = ToMessage(report);
    return request;
  }
  v1::AttachRequest operator()(const Refusal& refusal) const {
    v1::AttachRequest request;
    *request.mutable_control_refused() = ToMessage(refusal);
    NameRun(run_id, *request.mutable_control_refused()->mutable_error());
    return request;
  }
  v1::AttachRequest operator()(v1::Answer& answer) const {
    v1::AttachRequest request;
    *request.mutable_answer() = std::move(answer);
    if (request.answer().has_error()) NameRun(run_id, *request.mutable_answer()->mutable_error());
    return request;
  }
  v1::AttachRequest operator()(const Heartbeat& heartbeat) const {
    v1::AttachRequest request;
    *request.mutable_heartbeat() = ToMessage(heartbeat);
    return request;
  }
};

}  // namespace

Attachment::Attachment(const std::string& service, const TrainerIdentity& identity, RunHost& host,
                       AttachmentProgress& progress)
    : identity_(identity),
      host_(host),
      outbox_(host.outbox()),
      progress_(progress),
      stub_(v1::TrainerChannel::NewStub(Dial(service))) {}

absl::Status Attachment::Run() {
  stream_ = stub_->Attach(&context_);
  if (Greet()) {
    std::thread writer([this] { WriteAll(); });
    ReadAll();
    outbox_.EndStream();
    writer.join();
  } else {
    outbox_.EndStream();
    Drain();
  }
  progress_.attached = false;
  return FromGrpcStatus(stream_->Finish());
}

bool Attachment::Greet() {
  v1::AttachRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_run_id(identity_.run_id);
  hello.set_token(identity_.token);
  hello.set_process_id(getpid());
  hello.set_last_report(outbox_.BeginStream());
  const bool told = progress_.confirmed;
  hello.set_prepared(told);
  v1::AttachResponse response;
  if (!stream_->Write(request) || !stream_->Read(&response)) return false;
  if (!response.has_welcome()) {
    Log("the service did not answer Hello with Welcome");
    BreakOff();
    return false;
  }
  ++progress_.welcomes;
  progress_.attached = true;
  Log("attached");
  Taken(response.welcome().reports_taken());
  outbox_.ResendUntaken();
  if (!told && !Prepare(response.welcome())) return false;
  host_.ForgetKeptReports();
  return true;
}

bool Attachment::Prepare(const v1::Welcome& welcome) {
  if (!host_.built()) {
    if (absl::Status status = host_.Build(welcome); !status.ok()) {
      RefuseSpec(status);
      return false;
    }
  }
  v1::AttachRequest request;
  *request.mutable_prepared() = host_.Describe();
  if (!stream_->Write(request)) return false;
  if (!progress_.started) Log(absl::StrCat("started, with target ", welcome.target()));
  host_.Start();
  progress_.started = true;
  return true;
}

void Attachment::RefuseSpec(const absl::Status& error) {
  Log(absl::StrCat("the run cannot be built: ", std::string(error.message())));
  progress_.refused = true;
  v1::AttachRequest request;
  *request.mutable_spec_refused() = ToError(error);
  progress_.refusal_told = stream_->Write(request) && stream_->WritesDone();
}

void Attachment::Drain() {
  v1::AttachResponse ignored;
  while (stream_->Read(&ignored)) {
  }
}

void Attachment::ReadAll() {
  v1::AttachResponse message;
  while (stream_->Read(&message)) {
    if (Handle(message)) continue;
    BreakOff();
    Drain();
  }
}

bool Attachment::Handle(v1::AttachResponse& message) {
  switch (message.content_case()) {
    case v1::AttachResponse::kControl:
      host_.OnControl(message.control());
      break;
    case v1::AttachResponse::kQuery:
      host_.OnQuery(std::move(*message.mutable_query()));
      break;
    case v1::AttachResponse::kReportsTaken:
      Taken(message.reports_taken().number());
      break;
    case v1::AttachResponse::kWelcome:
    case v1::AttachResponse::CONTENT_NOT_SET:
      break;
  }
  return !outbox_.LastReportTaken();
}

void Attachment::Taken(uint64_t number) {
  if (number > 0 && progress_.started) progress_.confirmed = true;
  outbox_.Taken(number);
}

void Attachment::WriteAll() {
  while (std::optional<Outgoing> next = outbox_.Next()) {
    if (!stream_->Write(std::visit(RequestMaker{identity_.run_id}, *next))) return;
  }
}

}  // namespace pilothouse::trainer
