// What the tests of RunKeeper share: a run whose trainer is a fake.
#ifndef PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_TESTING_H_
#define PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_TESTING_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "service/runs/run_end.h"
#include "service/runs/run_keeper.h"

namespace pilothouse::service {

// Remembers what the run sends and asks for.
class FakeLink final : public TrainerLink {
 public:
  void Send(v1::AttachResponse message) override { sent.push_back(std::move(message)); }
  void ReadNext() override { ++reads; }
  void Close(const absl::Status& status) override {
    closed = true;
    close_status = status;
  }
  std::vector<v1::Control> Controls() const {
    std::vector<v1::Control> controls;
    for (const auto& message : sent) {
      if (message.has_control()) controls.push_back(message.control());
    }
    return controls;
  }
  uint64_t Taken() const {
    uint64_t taken = 0;
    for (const auto& message : sent) taken = std::max(taken, message.reports_taken().number());
    return taken;
  }

  std::vector<v1::AttachResponse> sent;
  int reads = 0;
  bool closed = false;
  absl::Status close_status;
};

inline v1::Control EtaControl(const std::string& request_id, double eta) {
  v1::Control control;
  control.set_request_id(request_id);
  control.mutable_change()->mutable_knob()->set_name("eta");
  control.mutable_change()->mutable_knob()->set_value(eta);
  return control;
}

inline v1::Control StopControl(const std::string& request_id) {
  v1::Control control;
  control.set_request_id(request_id);
  control.mutable_change()->mutable_stop();
  return control;
}

class RunKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    place_.directory = testing::TempDir() + "keeper-" + std::to_string(getpid());
    std::filesystem::remove_all(place_.directory);
    std::filesystem::create_directories(place_.directory);
    place_.trainer_command = {"/bin/sleep", "600"};
    place_.token = "secret";
    auto journal =
        Journal::Create(place_.journal_path(),
                        {.run_id = "r", .start_request_id = "", .create_time = absl::Now(), .spec = v1::RunSpec()});
    ASSERT_TRUE(journal.ok()) << journal.status();
    Make(*std::move(journal));
  }
  void TearDown() override {
    if (keeper_ != nullptr) keeper_->Kill();
    keeper_ = nullptr;
    std::filesystem::remove_all(place_.directory);
  }

  void Make(std::unique_ptr<Journal> journal) {
    v1::Run run = *journal->LoadRun();
    hub_ = std::make_shared<EventHub>("r");
    keeper_ = std::make_unique<RunKeeper>(KeptRun{.place = place_,
                                                  .spec = run.spec(),
                                                  .journal = std::move(journal),
                                                  .run = run,
                                                  .beginning = beginning_,
                                                  .max_restarts = max_restarts_},
                                          hub_);
  }
  // A new service on the same journal.
  void Restart() {
    keeper_ = nullptr;
    Make(*Journal::Open(place_.journal_path()));
    keeper_->AwaitReturn(now_);
  }

  std::shared_ptr<FakeLink> Attach(uint64_t last_report, bool prepared) {
    auto link = std::make_shared<FakeLink>();
    v1::Hello hello;
    hello.set_token("secret");
    hello.set_last_report(last_report);
    hello.set_prepared(prepared);
    keeper_->OnAttach(link, hello, now_);
    return link;
  }
  void Launch() {
    keeper_->Launch([this](absl::StatusOr<v1::Run> run) { started_.push_back(std::move(run)); }, now_);
  }
  void Deliver(FakeLink& link, v1::AttachRequest message) { keeper_->OnMessage(&link, std::move(message), now_); }
  void Prepare(FakeLink& link) {
    v1::AttachRequest message;
    message.mutable_prepared()->mutable_facts()->set_parameters(9);
    Deliver(link, message);
  }
  void ReportStatus(FakeLink& link, uint64_t number, v1::RunStatus status, int64_t batch = 0) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_status()->set_status(status);
    Deliver(link, message);
  }
  void ReportControl(FakeLink& link, uint64_t number, const v1::Control& control, int64_t batch) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    *report->mutable_event()->mutable_control()->mutable_change() = control.change();
    report->mutable_event()->mutable_control()->set_request_id(control.request_id());
    report->mutable_event()->mutable_control()->set_value(control.change().knob().value());
    Deliver(link, message);
  }
  void ReportLoss(FakeLink& link, uint64_t number, int64_t batch, double loss) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(batch);
    report->mutable_event()->mutable_loss()->set_value(loss);
    Deliver(link, message);
  }
  void ReportPlugins(FakeLink& link, uint64_t number, const std::vector<std::string>& names) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->mutable_loss();
    report->set_has_plugins(true);
    for (const std::string& name : names) report->add_plugins()->mutable_spec()->set_name(name);
    Deliver(link, message);
  }
  // That the run was taken back from a batch as `control` asked.
  void ReportRewind(FakeLink& link, uint64_t number, const v1::Control& control, int64_t from) {
    v1::AttachRequest message;
    v1::Report* report = message.mutable_reports()->add_reports();
    report->set_number(number);
    report->mutable_event()->set_batch(from);
    v1::ControlReport& applied = *report->mutable_event()->mutable_control();
    *applied.mutable_change() = control.change();
    applied.set_request_id(control.request_id());
    applied.set_value(static_cast<double>(control.change().rewind().batch()));
    applied.set_previous_value(static_cast<double>(from));
    applied.set_branch(control.change().rewind().branch());
    Deliver(link, message);
  }
  void LeaveBehind(const std::string& end) { std::ofstream(place_.directory + "/" + kRunEndFile) << end; }
  // A run that is IDLE at batch 0, with its trainer attached.
  std::shared_ptr<FakeLink> Begin() {
    Launch();
    auto link = Attach(0, false);
    Prepare(*link);
    ReportStatus(*link, 1, v1::RUN_STATUS_IDLE);
    return link;
  }
  void Ask(const v1::Control& control) {
    keeper_->OnControl(control,
                       [this](absl::StatusOr<ControlOutcome> outcome) { outcomes_.push_back(std::move(outcome)); });
  }
  std::vector<std::shared_ptr<const v1::Event>> Events() const { return hub_->After(0, 1000).events; }
  // A killed child is gone a moment later; polled for a minute at most.
  void TickUntil(const std::function<bool()>& done) {
    for (int i = 0; i < 60'000 && !done(); ++i) {
      keeper_->OnTick(now_);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void TickUntilEnded() {
    TickUntil([this] { return keeper_->ended(); });
  }
  // The trainer is killed, and the keeper has taken note of it: the run is LOST, or has ended.
  void Die(const FakeLink& link) {
    const uint64_t before = keeper_->run().last_sequence();
    keeper_->Kill();
    keeper_->OnDetach(&link, now_);
    TickUntil([&] { return keeper_->run().last_sequence() > before; });
  }
  // A new trainer is started, however long the keeper waits before it does that, and attaches.
  std::shared_ptr<FakeLink> ComeAgain() {
    now_ += kLongestRestartDelay;
    keeper_->OnTick(now_);
    return Attach(0, false);
  }
  // A run that trains at batch 10 with its trainer attached; the next report has number 4.
  std::shared_ptr<FakeLink> Train() {
    auto link = Begin();
    ReportStatus(*link, 2, v1::RUN_STATUS_TRAINING);
    ReportLoss(*link, 3, 10, 0.5);
    return link;
  }
  void RefuseSpec(FakeLink& link, v1::ErrorReason reason, const std::string& sentence) {
    v1::AttachRequest message;
    message.mutable_spec_refused()->set_reason(reason);
    message.mutable_spec_refused()->set_message(sentence);
    Deliver(link, message);
  }
  std::string Message() const { return keeper_->run().status_message(); }
  bool MessageSays(const std::string& words) const { return Message().find(words) != std::string::npos; }
  const v1::Welcome& WelcomeOf(const FakeLink& link) const { return link.sent.at(0).welcome(); }

  RunPlace place_;
  v1::Welcome beginning_;
  int max_restarts_ = kMaxRestarts;
  std::shared_ptr<EventHub> hub_;
  std::unique_ptr<RunKeeper> keeper_;
  RunKeeper::Time now_ = std::chrono::steady_clock::now();
  std::vector<absl::StatusOr<v1::Run>> started_;
  std::vector<absl::StatusOr<ControlOutcome>> outcomes_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RUN_KEEPER_TESTING_H_
