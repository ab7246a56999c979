// A dataset on its way to a service, as a header and chunks.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_

#include <grpcpp/client_context.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// Holds names of files, which are read while they are sent, or bytes. Immutable: Send may be called again, and by
// several threads.
class Upload {
 public:
  // Without a reason: NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT where a file cannot be opened or is empty.
  static absl::StatusOr<Upload> OfCsvFile(const std::string& path);
  static absl::StatusOr<Upload> OfNpyFiles(const std::string& inputs, const std::string& targets);
  // REQUIRES: CheckTensor is OK for both.
  static Upload OfArrays(const v1::Tensor& inputs, const v1::Tensor& targets);

  // Sends everything in chunks of kMaxChunkBytes and waits for the answer.
  grpc::Status Send(v1::TrainingControl::Stub& stub, grpc::ClientContext& context,
                    v1::UploadDatasetResponse* response) const;

 private:
  struct Part {
    v1::DatasetPart part;
    std::string path;
    // What is sent where there is no path.
    std::string bytes;
    int64_t size = 0;
  };
  using Writer = grpc::ClientWriter<v1::UploadDatasetRequest>;

  static absl::StatusOr<Part> OpenFile(v1::DatasetPart part, const std::string& path);
  enum class Sent { kAll, kServiceEnded, kFileChanged };

  static Sent SendPart(const Part& part, Writer& writer);

  v1::DatasetFormat format_ = v1::DATASET_FORMAT_UNSPECIFIED;
  std::vector<Part> parts_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_
