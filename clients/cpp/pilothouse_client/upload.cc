#include "clients/cpp/pilothouse_client/upload.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilothouse_client/data_file.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "proto/support/limits.h"

namespace pilothouse::client {

absl::StatusOr<Upload::Part> Upload::OpenFile(v1::DatasetPart part, const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || access(path.c_str(), R_OK) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a file."));
  if (status.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, " is empty."));
  return Part{part, path, "", static_cast<int64_t>(status.st_size)};
}

absl::StatusOr<Upload> Upload::OfFile(const std::string& path) {
  absl::StatusOr<Part> table = OpenFile(v1::DATASET_PART_TABLE, path);
  if (!table.ok()) return table.status();
  const absl::StatusOr<v1::DatasetFormat> format = DataFormatOf(path);
  if (!format.ok()) return format.status();
  Upload upload;
  upload.format_ = *format;
  upload.parts_.push_back(*std::move(table));
  return upload;
}

absl::StatusOr<Upload> Upload::OfNpyFiles(const std::string& inputs, const std::string& targets,
                                          const std::string& weights) {
  Upload upload;
  upload.format_ = v1::DATASET_FORMAT_ARRAYS;
  for (const auto& [kind, path] :
       {std::pair{v1::DATASET_PART_INPUTS, &inputs}, std::pair{v1::DATASET_PART_TARGETS, &targets},
        std::pair{v1::DATASET_PART_WEIGHTS, &weights}}) {
    if (kind == v1::DATASET_PART_WEIGHTS && path->empty()) continue;
    absl::StatusOr<Part> part = OpenFile(kind, *path);
    if (!part.ok()) return part.status();
    upload.parts_.push_back(*std::move(part));
  }
  return upload;
}

Upload Upload::OfArrays(const v1::Tensor& inputs, const v1::Tensor& targets, const v1::Tensor* weights) {
  Upload upload;
  upload.format_ = v1::DATASET_FORMAT_ARRAYS;
  for (const auto& [part, tensor] :
       {std::pair{v1::DATASET_PART_INPUTS, &inputs}, std::pair{v1::DATASET_PART_TARGETS, &targets},
        std::pair{v1::DATASET_PART_WEIGHTS, weights}}) {
    if (tensor == nullptr) continue;
    std::string bytes = WriteNpy(*tensor);
    const auto size = static_cast<int64_t>(bytes.size());
    upload.parts_.push_back({part, "", std::move(bytes), size});
  }
  return upload;
}

Upload::Sent Upload::SendPart(const Part& part, Writer& writer, const std::function<void(int64_t)>& tell) {
  v1::UploadDatasetRequest request;
  request.mutable_chunk()->set_part(part.part);
  std::string& data = *request.mutable_chunk()->mutable_data();
  std::ifstream file;
  if (!part.path.empty()) file.open(part.path, std::ios::binary);
  for (int64_t sent = 0; sent < part.size;) {
    const int64_t count = std::min(kMaxChunkBytes, part.size - sent);
    if (part.path.empty()) {
      data = part.bytes.substr(sent, count);
    } else {
      data.resize(count);
      if (!file.read(data.data(), count)) return Sent::kFileChanged;
    }
    if (!writer.Write(request)) return Sent::kServiceEnded;
    sent += count;
    tell(count);
  }
  return Sent::kAll;
}

grpc::Status Upload::Send(v1::TrainingControl::Stub& stub, grpc::ClientContext& context, const UploadProgress& progress,
                          v1::UploadDatasetResponse* response) const {
  const std::unique_ptr<Writer> writer = stub.UploadDataset(&context, response);
  v1::UploadDatasetRequest header;
  header.mutable_header()->set_format(format_);
  int64_t total = 0;
  for (const Part& part : parts_) total += part.size;
  header.mutable_header()->set_total_bytes(total);
  int64_t sent_bytes = 0;
  const auto tell = [&](int64_t count) {
    sent_bytes += count;
    if (progress) progress(sent_bytes, total);
  };
  Sent sent = writer->Write(header) ? Sent::kAll : Sent::kServiceEnded;
  for (const Part& part : parts_) {
    if (sent == Sent::kAll) sent = SendPart(part, *writer, tell);
  }
  if (sent == Sent::kFileChanged) {
    context.TryCancel();
    writer->Finish();
    return {grpc::StatusCode::ABORTED, "a file became shorter while it was sent."};
  }
  if (sent == Sent::kAll) writer->WritesDone();
  return writer->Finish();
}

}  // namespace pilothouse::client
