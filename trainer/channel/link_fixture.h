// Test support: a trainer's end of the channel, with a learner of the test and the service played by the test.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_LINK_FIXTURE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_LINK_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/tensor.h"
#include "trainer/channel/fake_service.h"
#include "trainer/channel/link.h"
#include "trainer/loop/fake_learner.h"

namespace pilothouse::trainer {

inline bool IsStatus(const v1::Report& report, v1::RunStatus status) {
  return report.event().status().status() == status;
}
inline bool IsIdle(const v1::Report& report) { return IsStatus(report, v1::RUN_STATUS_IDLE); }
inline bool IsStopped(const v1::Report& report) { return IsStatus(report, v1::RUN_STATUS_STOPPED); }
inline bool IsControl(const v1::Report& report) { return report.event().has_control(); }

class LinkTest : public ::testing::Test {
 protected:
  LinkTest() {
    std::filesystem::create_directories(directory_);
    options_.service = service_.address();
    options_.first_backoff = std::chrono::milliseconds(1);
    options_.last_backoff = std::chrono::milliseconds(20);
  }
  ~LinkTest() override {
    if (link_thread_.joinable()) link_thread_.join();
    host_ = nullptr;
    std::filesystem::remove_all(directory_);
  }

  void StartTrainer(RunBuilder builder) {
    host_ = std::make_unique<RunHost>(std::move(builder));
    link_thread_ = std::thread([this] { end_ = Link(options_, {"my-run", "secret"}, *host_).Run(); });
  }
  void StartTrainer() {
    StartTrainer([this](const v1::Welcome& welcome) { return Build(welcome); });
  }
  LinkEnd WaitForEnd() {
    link_thread_.join();
    return end_;
  }

  absl::StatusOr<BuiltRun> Build(const v1::Welcome& welcome) {
    ++builds_;
    auto learner = std::make_unique<FakeLearner>();
    learner->on_step = [this](int64_t batch) { trained_ = batch; };
    learner->on_predict = on_predict_;
    if (!can_save_) std::ofstream(directory_ + "/" + kCheckpointFolder) << "in the way";
    learner->learner_facts.parameters = parameters_;
    learner->learner_facts.test_examples = test_examples_;
    learner->validation_loss = [](int64_t batch) { return 0.5 + static_cast<double>(batch); };
    return BuiltRun{.lock = {}, .learner = std::move(learner), .loop = LoopFor(welcome), .bytes_per_parameter = 8};
  }

  LoopOptions LoopFor(const v1::Welcome& welcome) const {
    LoopOptions options;
    options.target = welcome.target();
    options.directory = directory_;
    return options;
  }

  // Takes the next stream, reads its Hello and welcomes it.
  v1::Hello Welcome(uint64_t reports_taken = 0) {
    unread_.clear();
    session_ = service_.Accept();
    const v1::Hello hello = session_->Read()->hello();
    v1::AttachResponse response;
    response.mutable_welcome()->set_target(50);
    response.mutable_welcome()->set_reports_taken(reports_taken);
    session_->Send(response);
    return hello;
  }

  // The next message that is no heartbeat.
  v1::AttachRequest Read() {
    std::optional<v1::AttachRequest> request = session_->Read();
    while (request.has_value() && request->has_heartbeat()) request = session_->Read();
    return request.value_or(v1::AttachRequest());
  }

  // All reports up to the first that `is_last` accepts; other messages on the way are left out.
  std::vector<v1::Report> ReadUntil(const std::function<bool(const v1::Report&)>& is_last) {
    std::vector<v1::Report> reports;
    while (true) {
      while (!unread_.empty()) {
        reports.push_back(unread_.front());
        unread_.pop_front();
        if (is_last(reports.back())) return reports;
      }
      const std::optional<v1::AttachRequest> request = session_->Read();
      if (!request.has_value()) break;
      unread_.assign(request->reports().reports().begin(), request->reports().reports().end());
    }
    ADD_FAILURE() << "the trainer hung up after " << reports.size() << " reports";
    return std::vector<v1::Report>(1);
  }

  void SendControl(const std::string& id, const std::function<void(v1::Change&)>& fill) {
    v1::AttachResponse response;
    response.mutable_control()->set_request_id(id);
    fill(*response.mutable_control()->mutable_change());
    session_->Send(response);
  }
  void SendStateQuery(uint64_t id, bool include_state_vector) {
    v1::AttachResponse query;
    query.mutable_query()->set_query_id(id);
    query.mutable_query()->mutable_state()->set_include_state_vector(include_state_vector);
    session_->Send(query);
  }
  void SendPredictQuery(uint64_t id, int64_t rows) {
    v1::AttachResponse query;
    query.mutable_query()->set_query_id(id);
    const std::vector<double> inputs(static_cast<size_t>(2 * rows), 1);
    *query.mutable_query()->mutable_predict()->mutable_inputs() = MakeTensor(inputs, {rows, 2});
    session_->Send(query);
  }
  void SendEvaluateQuery(uint64_t id, v1::DataPart part) {
    v1::AttachResponse query;
    query.mutable_query()->set_query_id(id);
    query.mutable_query()->mutable_evaluate()->set_part(part);
    session_->Send(query);
  }
  // The next answer; other messages on the way are left out.
  v1::Answer ReadAnswer() {
    std::optional<v1::AttachRequest> request = session_->Read();
    while (request.has_value() && !request->has_answer()) request = session_->Read();
    return request.has_value() ? request->answer() : v1::Answer();
  }
  void SendStop() {
    SendControl("stop", [](v1::Change& change) { change.mutable_stop(); });
  }
  // Lets the trainer end in good order.
  void StopTrainer() {
    SendStop();
    session_->SendTaken(ReadUntil(IsStopped).back().number());
    while (session_->Read().has_value()) {
    }
    session_->End(grpc::Status::OK);
    EXPECT_EQ(WaitForEnd(), LinkEnd::kStopped);
  }
  void BreakStream() { session_->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away")); }

  FakeService service_;
  LinkOptions options_;
  std::unique_ptr<RunHost> host_;
  std::thread link_thread_;
  LinkEnd end_ = LinkEnd::kNoService;
  std::shared_ptr<FakeSession> session_;
  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/link-test-", getpid());
  // Reports of the last message that ReadUntil has read but not returned.
  std::deque<v1::Report> unread_;
  int builds_ = 0;
  // Of the learner.
  int64_t test_examples_ = 0;
  std::function<void(int64_t rows)> on_predict_;
  bool can_save_ = true;
  int64_t parameters_ = 1;
  std::atomic<int64_t> trained_{0};
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_LINK_FIXTURE_H_
