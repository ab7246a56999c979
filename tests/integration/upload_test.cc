// Uploads that do not come to a good end.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"
#include "tests/support/eventually.h"
#include "tests/support/test_service.h"

namespace pilothouse::testing {
namespace {

namespace fs = std::filesystem;

class Upload : public ::testing::Test {
 protected:
  // What lies in the folder of datasets, finished or not. The service works in it meanwhile.
  size_t Stored() const {
    std::error_code error;
    size_t count = 0;
    for (fs::directory_iterator entry(fs::path(service_.directory()) / "datasets", error), end; !error && entry != end;
         entry.increment(error)) {
      ++count;
    }
    return count;
  }

  static v1::UploadDatasetRequest Header(int64_t total_bytes = 0) {
    v1::UploadDatasetRequest request;
    request.mutable_header()->set_format(v1::DATASET_FORMAT_CSV);
    request.mutable_header()->set_total_bytes(total_bytes);
    return request;
  }

  static v1::UploadDatasetRequest Chunk(const std::string& data) {
    v1::UploadDatasetRequest request;
    request.mutable_chunk()->set_part(v1::DATASET_PART_TABLE);
    request.mutable_chunk()->set_data(data);
    return request;
  }

  TestService service_;
};

TEST_F(Upload, AClientThatVanishesInTheMiddleLeavesNothing) {
  // Half a table is a table too: only that its client has gone says that it is not whole.
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::UploadDatasetResponse response;
    const auto writer = service_.stub().UploadDataset(&context, &response);
    ASSERT_TRUE(writer->Write(Header()));
    ASSERT_TRUE(writer->Write(Chunk(kXorTable)));
    ASSERT_TRUE(Eventually([&] { return Stored() == 1; })) << i;
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
    ASSERT_TRUE(Eventually([&] { return Stored() == 0; })) << i;
  }
}

TEST_F(Upload, AChunkOrAMessageOverItsLimitIsRefusedAndLeavesNothing) {
  for (const int64_t bytes : {kMaxChunkBytes + 1, int64_t{kMaxMessageBytes} + 1}) {
    grpc::ClientContext context;
    v1::UploadDatasetResponse response;
    const auto writer = service_.stub().UploadDataset(&context, &response);
    ASSERT_TRUE(writer->Write(Header()));
    // The service may have refused before all of it is sent.
    writer->Write(Chunk(std::string(static_cast<size_t>(bytes), '1')));
    writer->WritesDone();
    const grpc::Status refused = writer->Finish();
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << bytes << refused.error_message();
    EXPECT_TRUE(Eventually([&] { return Stored() == 0; })) << bytes;
  }
  EXPECT_TRUE(service_.UploadTable(kXorTable).ok());
}

TEST_F(Upload, LessThanWasAnnouncedIsRefusedAndLeavesNothing) {
  grpc::ClientContext context;
  v1::UploadDatasetResponse response;
  const auto writer = service_.stub().UploadDataset(&context, &response);
  ASSERT_TRUE(writer->Write(Header(/*total_bytes=*/1000)));
  ASSERT_TRUE(writer->Write(Chunk(kXorTable)));
  writer->WritesDone();
  EXPECT_EQ(ReasonOf(FromGrpcStatus(writer->Finish())), v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_TRUE(Eventually([&] { return Stored() == 0; }));
}

}  // namespace
}  // namespace pilothouse::testing
