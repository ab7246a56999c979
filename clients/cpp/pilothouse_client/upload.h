// A dataset on its way to a service, as a header and chunks.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_

#include <grpcpp/client_context.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pilothouse/v1/training_control.grpc.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// Told, on the thread that sends, how many bytes of all have been handed to the transport. An upload that is repeated
// begins at 0 again.
using UploadProgress = std::function<void(int64_t sent, int64_t total)>;

// Holds names of files, which are read while they are sent, or bytes. Immutable: Send may be called again, and by
// several threads.
class Upload {
 public:
  // Without a reason: NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT where a file cannot be opened or is empty.
  // In the format that DataFormatOf names.
  static absl::StatusOr<Upload> OfFile(const std::string& path);
  // Without weights, their name is empty.
  static absl::StatusOr<Upload> OfNpyFiles(const std::string& inputs, const std::string& targets,
                                           const std::string& weights);
  // Without weights, they are null. REQUIRES: CheckTensor is OK for all.
  static Upload OfArrays(const v1::Tensor& inputs, const v1::Tensor& targets, const v1::Tensor* weights);

  // Sends everything in chunks of kMaxChunkBytes and waits for the answer. `progress` may be empty.
  grpc::Status Send(v1::TrainingControl::Stub& stub, grpc::ClientContext& context, const UploadProgress& progress,
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

  // `tell` gets the bytes of each chunk that was sent.
  static Sent SendPart(const Part& part, Writer& writer, const std::function<void(int64_t)>& tell);

  v1::DatasetFormat format_ = v1::DATASET_FORMAT_UNSPECIFIED;
  std::vector<Part> parts_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_UPLOAD_H_
