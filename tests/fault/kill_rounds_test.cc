// kill -9 of the trainer, of the service, and of both, again and again, at moments nobody chose, while the run is
// steered. PILOTHOUSE_FAULT_ROUNDS says how many rounds (the long form has 200).
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "tests/support/killable_service.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kUsualRounds = 4;  // everything takes ten times as long
#else
constexpr int kUsualRounds = 20;
#endif
constexpr int64_t kBatchesPerRound = 4000;
// Any will do; the moments of the kills are left to the machine.
constexpr unsigned kSeed = 4;

int Rounds() {
  const char* given = std::getenv("PILOTHOUSE_FAULT_ROUNDS");
  return given == nullptr ? kUsualRounds : std::max(1, std::atoi(given));
}

// 200 examples of three classes.
std::string Table() {
  std::string table;
  for (int row = 0; row < 200; ++row) {
    const double x = std::sin(row * 1.7);
    const double y = std::cos(row * 2.9);
    absl::StrAppend(&table, x, ",", y, ",", x > y ? 2 : x * y > 0.1 ? 1 : 0, "\n");
  }
  return table;
}

v1::StartRunRequest Request(const std::string& dataset) {
  v1::StartRunRequest request;
  v1::RunSpec& spec = *request.mutable_spec();
  spec.mutable_network()->set_shorthand("2x32rx3");
  spec.mutable_data()->set_dataset_id(dataset);
  spec.mutable_data()->set_validation_fraction(0.2);
  spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
  // What it keeps of former updates must come back as well.
  spec.mutable_optimizer()->set_kind(v1::OPTIMIZER_KIND_ADAM);
  // And what eta is, and whether it is that of its schedule.
  spec.set_eta_schedule("exponential factor=0.999");
  spec.set_batch_size(16);
  spec.mutable_checkpoints()->set_every(1500);
  v1::PluginSpec& validate = *spec.add_plugins();
  validate.set_kind("validate");
  validate.set_schedule("each(500)");
  v1::PluginSpec& reduce = *spec.add_plugins();
  reduce.set_kind("reduce-eta");
  (*reduce.mutable_settings())["patience"] = "6";
  (*reduce.mutable_settings())["factor"] = "0.9";
  request.set_target(kBatchesPerRound);
  return request;
}

// Steers a run through thick and thin: each control is asked with one request_id until it is answered.
class Steering {
 public:
  Steering(KillableService& service, std::string run_id) : service_(service), run_id_(std::move(run_id)) {}

  void SetKnob(const std::string& request_id, const std::string& name, double value) {
    v1::SetKnobRequest request;
    request.set_name(name);
    request.set_value(value);
    Ask(request, request_id, [](auto& stub, auto* context, const auto& asked, v1::Receipt& receipt) {
      v1::SetKnobResponse response;
      const bool ok = stub.SetKnob(context, asked, &response).ok();
      receipt = response.receipt();
      return ok;
    });
  }
  void FollowSchedule(const std::string& request_id) {
    v1::SetEtaRequest request;
    request.set_follow_schedule(true);
    Ask(request, request_id, [](auto& stub, auto* context, const auto& asked, v1::Receipt& receipt) {
      v1::SetEtaResponse response;
      const bool ok = stub.SetEta(context, asked, &response).ok();
      receipt = response.receipt();
      return ok;
    });
  }
  void More(const std::string& request_id) {
    v1::BatchToRequest request;
    request.mutable_target()->set_more(kBatchesPerRound);
    Ask(request, request_id, [](auto& stub, auto* context, const auto& asked, v1::Receipt& receipt) {
      v1::BatchToResponse response;
      const bool ok = stub.BatchTo(context, asked, &response).ok();
      receipt = response.receipt();
      return ok;
    });
  }

  // request_id → control_id.
  const std::map<std::string, uint64_t>& acknowledged() const { return acknowledged_; }

 private:
  template <typename Request, typename Call>
  void Ask(Request request, const std::string& request_id, Call call) {
    request.set_run_id(run_id_);
    request.mutable_options()->set_request_id(request_id);
    v1::Receipt receipt;
    ASSERT_TRUE(KillableService::Retry([&] {
      const std::shared_ptr<v1::TrainingControl::Stub> stub = service_.stub();
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
      return call(*stub, &context, request, receipt);
    })) << request_id;
    EXPECT_EQ(receipt.request_id(), request_id);
    acknowledged_[request_id] = receipt.control_id();
  }

  KillableService& service_;
  const std::string run_id_;
  std::map<std::string, uint64_t> acknowledged_;
};

void KillTrainer(const std::string& run_id) {
  if (const pid_t trainer = TestService::TrainerOf(run_id); trainer > 0) kill(trainer, SIGKILL);
}

void CheckCurve(const std::string& run_id, KillableService& service,
                const std::map<std::string, uint64_t>& acknowledged) {
  Watcher watcher(*service.stub(), FromTheStart(run_id));
  ASSERT_TRUE(watcher.WaitForEnd().ok());
  std::map<std::string, uint64_t> journaled;
  std::map<int64_t, double> losses;
  uint64_t sequence = 0;
  int64_t batch = 0;
  for (const v1::Event& event : watcher.events()) {
    EXPECT_EQ(event.sequence(), ++sequence);
    // What the service says of a run that it has lost is about where it was seen last, reported or not.
    const bool is_of_the_trainer = event.status().status() != v1::RUN_STATUS_LOST;
    EXPECT_GE(event.batch(), is_of_the_trainer ? batch : 0) << "sequence " << event.sequence() << " goes back";
    if (is_of_the_trainer) batch = event.batch();
    if (event.has_loss()) {
      EXPECT_TRUE(losses.emplace(event.batch(), event.loss().value()).second) << "twice: the loss of " << event.batch();
    }
    const std::string& id = event.control().request_id();
    if (!event.has_control() || event.control().change().has_stop() || id.rfind("plugin-", 0) == 0) continue;
    EXPECT_TRUE(journaled.emplace(id, event.sequence()).second) << "twice: " << id;
  }
  EXPECT_EQ(journaled, acknowledged);
  EXPECT_EQ(watcher.events().back().status().status(), v1::RUN_STATUS_STOPPED);
}

TEST(KillRounds, EveryAcknowledgedControlIsThereOnceAndTheRunIsTheOneThatWasNeverKilled) {
  KillableService service({PILOTHOUSED, PILOTHOUSE_TRAINER}, {"--max-restarts", "1000"});
  ASSERT_NO_FATAL_FAILURE(service.Start());
  const std::string run_id = service.StartRun(Request(service.Upload(Table())));
  Steering steering(service, run_id);
  std::minstd_rand random(kSeed);
  const int rounds = Rounds();
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    ASSERT_NO_FATAL_FAILURE(steering.More(absl::StrCat("more-", round)));
    const unsigned who = random() % 3;
    const std::string request_id = absl::StrCat("knob-", round);
    const bool eta = round % 2 == 0;
    const std::string knob = eta ? "eta" : "beta1";
    const double value = static_cast<double>(1 + random() % 90) / (eta ? 10000 : 100);
    const auto steer = [&] {
      if (round % 4 == 2) return steering.FollowSchedule(request_id);
      steering.SetKnob(request_id, knob, value);
    };
    // The kill falls anywhere between asking and answering, or before, or after.
    if (who == 0) {
      std::thread asking(steer);
      KillTrainer(run_id);
      asking.join();
    } else {
      ASSERT_NO_FATAL_FAILURE(steer());
      if (who == 2) KillTrainer(run_id);
      service.Kill();
      ASSERT_NO_FATAL_FAILURE(service.Start());
    }
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
  }
  v1::StopRequest stop;
  stop.set_run_id(run_id);
  stop.mutable_options()->set_request_id("stop");
  ASSERT_TRUE(KillableService::Retry([&] {
    grpc::ClientContext context;
    v1::StopResponse response;
    return service.stub()->Stop(&context, stop, &response).ok();
  }));
  CheckCurve(run_id, service, steering.acknowledged());
  const auto replay = service.Replay(service.RunDirectory(run_id));
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_NE(replay->find("identical through batch"), std::string::npos) << *replay;
}

}  // namespace
}  // namespace pilothouse::testing
