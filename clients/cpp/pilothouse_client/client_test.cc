#include "clients/cpp/pilothouse_client/client.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
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

TEST_F(ClientTest, UploadsAFileInChunks) {
  std::string table(2 * kMaxChunkBytes + 17, '1');
  const absl::StatusOr<v1::UploadDatasetResponse> response = client_->UploadCsvFile(folder_.Write("table.csv", table));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->total_bytes(), static_cast<int64_t>(table.size()));
  EXPECT_EQ(house_.uploaded().at(v1::DATASET_PART_TABLE), table);
  EXPECT_EQ(house_.largest_chunk(), static_cast<size_t>(kMaxChunkBytes));
}

TEST_F(ClientTest, UploadsArraysAsNpyFiles) {
  const std::vector<double> inputs = {1, 2, 3, 4};
  const std::vector<float> targets = {0, 1};
  ASSERT_TRUE(client_->UploadArrays(MakeTensor(inputs, {2, 2}), MakeTensor(targets, {2})).ok());
  EXPECT_TRUE(absl::StrContains(house_.uploaded().at(v1::DATASET_PART_INPUTS), "'shape': (2, 2)"));
  EXPECT_TRUE(absl::StrContains(house_.uploaded().at(v1::DATASET_PART_TARGETS), "'descr': '<f4'"));
}

TEST_F(ClientTest, SaysThatALocalFileIsMissing) {
  const absl::Status status = client_->UploadCsvFile(folder_.Path("missing.csv")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED);
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
