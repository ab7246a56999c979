#include "clients/cpp/pilothouse_client/client.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilothouse_client/channel.h"
#include "clients/cpp/pilothouse_client/identity.h"
#include "clients/cpp/testing/fake_service.h"
#include "clients/cpp/testing/test_folder.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    house_.AddRun("digits");
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(folder_.Address(), options_);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  TestFolder folder_;
  FakeHouse house_;
  std::unique_ptr<FakeServer> server_ = std::make_unique<FakeServer>(house_, folder_.Address());
  ClientOptions options_ = {.timeout = absl::Seconds(60), .retry_for = absl::Seconds(60), .origin = "ana@lab/test"};
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, SaysAtOnceThatNothingAnswers) {
  const absl::Status status = Client::Connect("unix:" + folder_.Path("nobody"), {}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(IsUnreachable(status));
  EXPECT_EQ(Client::Connect("", {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, GivesEveryChangeAnIdAndAnOrigin) {
  ASSERT_TRUE(client_->SetEta("digits", 0.01, {}).ok());
  ASSERT_TRUE(client_->SetEta("digits", 0.02, {.request_id = "mine", .at_batch = 7, .note = "why"}).ok());
  const std::vector<v1::ControlOptions> asked = house_.asked();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].request_id().size(), 32u);
  EXPECT_EQ(asked[0].origin(), "ana@lab/test");
  EXPECT_FALSE(asked[0].has_at_batch());
  EXPECT_EQ(asked[1].request_id(), "mine");
  EXPECT_EQ(asked[1].at_batch(), 7);
  EXPECT_EQ(asked[1].note(), "why");
}

TEST_F(ClientTest, MakesAChangeOnceThoughTheAnswersAreLost) {
  house_.LoseNextAnswers(3);
  const absl::StatusOr<v1::Receipt> receipt = client_->SetEta("digits", 0.01, {});
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(house_.changes(), 1);
  const std::vector<v1::ControlOptions> asked = house_.asked();
  ASSERT_EQ(asked.size(), 4u);
  for (const v1::ControlOptions& options : asked) EXPECT_EQ(options.request_id(), asked[0].request_id());
}

TEST_F(ClientTest, AttachesReschedulesAndDetachesPlugins) {
  v1::PluginSpec spec;
  spec.set_kind("validate");
  spec.set_schedule("each(100)");
  house_.LoseNextAnswers(1);
  const absl::StatusOr<v1::Receipt> attached = client_->AttachPlugin("digits", spec, {});
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(attached->plugin(), "validate");
  EXPECT_EQ(attached->value(), 1);
  // The repetition found the first one's receipt.
  EXPECT_EQ(house_.changes(), 1);
  const absl::StatusOr<v1::Receipt> rescheduled =
      client_->ReschedulePlugin("digits", "validate", "each(5)", v1::TIMELINE_EPOCHS, {.request_id = "mine"});
  ASSERT_TRUE(rescheduled.ok()) << rescheduled.status();
  EXPECT_EQ(rescheduled->request_id(), "mine");
  const absl::StatusOr<v1::ListPluginsResponse> list = client_->ListPlugins("digits");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->plugins_size(), 1);
  EXPECT_EQ(list->plugins(0).spec().schedule(), "each(5)");
  EXPECT_EQ(list->plugins(0).spec().timeline(), v1::TIMELINE_EPOCHS);
  ASSERT_TRUE(client_->DetachPlugin("digits", "validate", {.at_batch = 7}).ok());
  const absl::Status again = client_->DetachPlugin("digits", "validate", {}).status();
  EXPECT_EQ(ReasonOf(again), v1::ERROR_REASON_PLUGIN_NOT_FOUND);
  for (const v1::ControlOptions& options : house_.asked()) {
    EXPECT_EQ(options.origin(), "ana@lab/test");
    EXPECT_FALSE(options.request_id().empty());
  }
  EXPECT_EQ(house_.asked()[3].at_batch(), 7);
}

TEST_F(ClientTest, ListsKindsOfPluginsWithoutARun) {
  const absl::StatusOr<v1::ListPluginKindsResponse> kinds = client_->ListPluginKinds();
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  EXPECT_EQ(kinds->kinds_size(), 2);
  EXPECT_EQ(ReasonOf(client_->ListPlugins("nobody").status()), v1::ERROR_REASON_RUN_NOT_FOUND);
}

TEST_F(ClientTest, WaitsForAServiceThatRestarts) {
  ASSERT_TRUE(client_->GetState("digits", false).ok());
  server_.reset();
  std::thread restart([this] { server_ = std::make_unique<FakeServer>(house_, folder_.Address()); });
  const absl::StatusOr<v1::Receipt> receipt = client_->SetEta("digits", 0.01, {});
  restart.join();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(house_.changes(), 1);
}

TEST_F(ClientTest, GivesUpOnAServiceThatStaysAway) {
  options_.retry_for = absl::Milliseconds(200);
  const std::unique_ptr<Client> hasty = *Client::Connect(folder_.Address(), options_);
  server_.reset();
  const absl::Status status = hasty->GetState("digits", false).status();
  EXPECT_TRUE(IsUnreachable(status)) << status;
}

TEST_F(ClientTest, AsksForTheParametersThatAreMeant) {
  house_.AddLoss("digits", 2000, 0.5);
  house_.AddSaved("digits", "best.safetensors", 1200);
  house_.AddSaved("digits", "swa.safetensors", 1900);
  house_.Edit("digits", [](v1::Run& run) { run.mutable_facts()->set_test_examples(3); });
  v1::ModelChoice best;
  best.set_model(v1::MODEL_BEST);
  v1::ModelChoice file;
  file.set_saved_file("swa.safetensors");
  EXPECT_FALSE(client_->GetState("digits", false)->has_model());
  EXPECT_EQ(client_->GetState("digits", false, best)->model().batch(), 1200);
  const v1::Tensor inputs = MakeTensor(std::vector<double>{1, 2}, {1, 2});
  EXPECT_EQ(client_->Predict("digits", inputs)->model().batch(), 2000);
  EXPECT_EQ(client_->Predict("digits", inputs, best)->model().file(), "saved/best.safetensors");
  const absl::StatusOr<v1::EvaluateResponse> scored = client_->Evaluate("digits", v1::DATA_PART_TEST, file);
  ASSERT_TRUE(scored.ok()) << scored.status();
  EXPECT_EQ(scored->examples(), 3);
  EXPECT_EQ(scored->model().batch(), 1900);
  EXPECT_EQ(ReasonOf(client_->Evaluate("digits", v1::DATA_PART_VALIDATION).status()),
            v1::ERROR_REASON_NO_VALIDATION_DATA);
}

TEST_F(ClientTest, DoesNotTakeTheLastParametersOfAnOlderServiceForOthers) {
  house_.AddSaved("digits", "best.safetensors", 0);
  house_.BeOlder();
  const v1::Tensor inputs = MakeTensor(std::vector<double>{1, 2}, {1, 2});
  v1::ModelChoice choice;
  choice.set_model(v1::MODEL_LAST);
  EXPECT_TRUE(client_->Predict("digits", inputs).ok());
  EXPECT_TRUE(client_->Predict("digits", inputs, choice).ok());
  EXPECT_TRUE(client_->GetState("digits", true, choice).ok());
  v1::ModelChoice file;
  file.set_saved_file("best.safetensors");
  choice.set_model(v1::MODEL_BEST);
  for (const v1::ModelChoice& other : {choice, file}) {
    for (const absl::Status& status :
         {client_->Predict("digits", inputs, other).status(), client_->GetState("digits", false, other).status()}) {
      EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
      EXPECT_EQ(status.message(),
                "the service is older than this client: it does not say which parameters it has used. Restart it with "
                "the programs of this version.");
    }
  }
}

TEST_F(ClientTest, SaysThatAServiceWithoutACallIsOlder) {
  house_.BeOlder();
  const absl::Status status = client_->Evaluate("digits", v1::DATA_PART_TEST).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_EQ(status.message(), absl::StrCat("the service is older than this client: what answers at ", folder_.Address(),
                                           " does not know this call. Restart it with the programs of this version."));
  EXPECT_FALSE(IsUnreachable(status));
}

TEST_F(ClientTest, SaysThatARunLacksThePartsThatAnOlderServicePassedOver) {
  v1::StartRunRequest request;
  ASSERT_TRUE(client_->StartRun(request).ok());
  request.mutable_spec()->mutable_data()->set_test_size("1");
  request.mutable_spec()->mutable_data()->set_validation_size("25%");
  ASSERT_TRUE(client_->StartRun(request).ok());
  house_.BeOlder();
  request.set_run_id("both");
  const absl::Status both = client_->StartRun(request).status();
  EXPECT_TRUE(absl::IsUnimplemented(both)) << both;
  EXPECT_EQ(both.message(),
            "the service is older than this client: run both was started WITHOUT the validation and test parts that "
            "were asked for; pilot stop both ends it. Restart the service with the programs of this version.");
  request.set_run_id("one");
  request.mutable_spec()->mutable_data()->clear_validation_size();
  EXPECT_TRUE(absl::StrContains(client_->StartRun(request).status().message(),
                                "run one was started WITHOUT the test part that was asked for; pilot stop one ends"));
  // Ways to say it that older services know, too.
  request.set_run_id("known");
  request.mutable_spec()->mutable_data()->clear_test_size();
  EXPECT_TRUE(client_->StartRun(request).ok());
}

TEST_F(ClientTest, KeepsTheReasonAndTheFieldOfARefusal) {
  const absl::Status status = client_->SetEta("nobody", 0.01, {}).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_RUN_NOT_FOUND);
  EXPECT_EQ(ToError(status).field(), "run_id");
  EXPECT_FALSE(IsUnreachable(status));
}

TEST_F(ClientTest, ExplainsAMessageThatIsTooLarge) {
  const std::vector<double> values(kMaxMessageBytes / sizeof(double) + 1);
  const v1::Tensor inputs = MakeTensor(values, {1, static_cast<int64_t>(values.size())});
  EXPECT_EQ(ReasonOf(client_->Predict("digits", inputs).status()), v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

TEST(Address, GetsTheDefaultPort) {
  EXPECT_EQ(CompleteAddress("gpu-box"), "gpu-box:50051");
  EXPECT_EQ(CompleteAddress("gpu-box:7000"), "gpu-box:7000");
  EXPECT_EQ(CompleteAddress("unix:/run/pilothouse"), "unix:/run/pilothouse");
}

TEST(Identity, IsNewEachTime) {
  EXPECT_NE(NewRequestId(), NewRequestId());
  EXPECT_TRUE(absl::EndsWith(DefaultOrigin("pilot"), "/pilot"));
  EXPECT_TRUE(absl::StrContains(DefaultOrigin("pilot"), "@"));
}

}  // namespace
}  // namespace pilothouse::client
