#include "service/runs/dataset_store.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/dataset_files.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"

namespace pilothouse::service {
namespace {

namespace fs = std::filesystem;

constexpr char kStagingPrefix[] = "incoming-";
// Half of a SHA-256, in hexadecimal: enough that two datasets never meet, short enough to be pasted.
constexpr size_t kIdBytes = 16;
constexpr size_t kMaxFileNameBytes = 1024;

// What a dataset of a format is made of.
struct Part {
  v1::DatasetPart part;
  const char* file;
  bool required;
};

struct Format {
  v1::DatasetFormat format;
  std::vector<Part> parts;
};

const std::vector<Format>& Formats() {
  static const std::vector<Format> formats = {
      {v1::DATASET_FORMAT_CSV, {{v1::DATASET_PART_TABLE, kCsvTableFile, true}}},
      {v1::DATASET_FORMAT_TSV, {{v1::DATASET_PART_TABLE, kTsvTableFile, true}}},
      {v1::DATASET_FORMAT_NPZ, {{v1::DATASET_PART_TABLE, kNpzTableFile, true}}},
      {v1::DATASET_FORMAT_NPY, {{v1::DATASET_PART_TABLE, kNpyTableFile, true}}},
      {v1::DATASET_FORMAT_ARRAYS,
       {{v1::DATASET_PART_INPUTS, kInputsFile, true},
        {v1::DATASET_PART_TARGETS, kTargetsFile, true},
        {v1::DATASET_PART_WEIGHTS, kWeightsFile, false}}},
  };
  return formats;
}

// Empty: there is no such format.
std::vector<Part> PartsOf(v1::DatasetFormat format) {
  for (const Format& known : Formats()) {
    if (known.format == format) return known.parts;
  }
  return {};
}

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return MakeError(v1::ERROR_REASON_SPEC_INVALID, field, message);
}

absl::Status TooLarge(int64_t limit) {
  return MakeError(
      v1::ERROR_REASON_DATASET_TOO_LARGE, "total_bytes",
      absl::StrCat("The dataset is larger than the ", limit,
                   " bytes this service takes. Send fewer rows or columns, or start the service with a larger "
                   "--max-dataset-bytes."),
      {{"limit_bytes", absl::StrCat(limit)}});
}

absl::Status DiskError(absl::string_view what) {
  return MakeError(v1::ERROR_REASON_INTERNAL, "",
                   absl::StrCat("The dataset could not be ", what, ": ", strerror(errno), "."));
}

bool IsReadableFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), R_OK) == 0;
}

bool IsDatasetId(absl::string_view id) {
  return id.size() == 2 * kIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// Relative, and never upwards.
bool IsPlainRelative(const std::string& name) {
  if (name.empty() || name.size() > kMaxFileNameBytes || name.find('\0') != std::string::npos || name[0] == '/')
    return false;
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  return std::none_of(parts.begin(), parts.end(), [](const std::string& part) { return part == ".." || part == "."; });
}

}  // namespace

// A file being written and hashed.
class DatasetUpload::PartFile {
 public:
  explicit PartFile(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)), digest_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(digest_, EVP_sha256(), nullptr);
  }
  ~PartFile() {
    if (fd_ >= 0) close(fd_);
    EVP_MD_CTX_free(digest_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  absl::Status Write(absl::string_view data) {
    if (fd_ < 0) return DiskError("stored");
    EVP_DigestUpdate(digest_, data.data(), data.size());
    size_ += static_cast<int64_t>(data.size());
    while (!data.empty()) {
      const ssize_t written = write(fd_, data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return DiskError("stored");
      data.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned length = 0;
    EVP_DigestFinal_ex(digest_, reinterpret_cast<unsigned char*>(digest.data()), &length);
    digest.resize(length);
    summary_ = absl::StrCat(size_, ":", digest);
    return fd_ >= 0 && fsync(fd_) == 0 ? absl::OkStatus() : DiskError("stored");
  }

  // Size and digest. REQUIRES: Sync was called.
  const std::string& summary() const { return summary_; }

 private:
  const int fd_;
  EVP_MD_CTX* const digest_;
  int64_t size_ = 0;
  std::string summary_;
};

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Open(const std::string& root, int64_t max_dataset_bytes) {
  std::error_code error;
  fs::create_directories(fs::path(root) / kDatasetsFolder, error);
  if (!error) fs::create_directories(fs::path(root) / kDataFilesFolder, error);
  if (error) return absl::InternalError(absl::StrCat("Could not make folders in ", root, ": ", error.message(), "."));
  for (const auto& entry : fs::directory_iterator(fs::path(root) / kDatasetsFolder, error)) {
    std::error_code ignored;
    if (absl::StartsWith(entry.path().filename().string(), kStagingPrefix)) fs::remove_all(entry.path(), ignored);
  }
  return std::unique_ptr<DatasetStore>(new DatasetStore(root, max_dataset_bytes));
}

absl::StatusOr<DataPaths> DatasetStore::Find(const v1::DataSpec& spec) const {
  absl::StatusOr<DataPaths> paths = Locate(spec);
  std::error_code error;
  const bool is_file = paths.ok() && spec.has_file();
  if (is_file && static_cast<int64_t>(fs::file_size(paths->table, error)) > max_bytes_) return TooLarge(max_bytes_);
  return paths;
}

absl::StatusOr<DataPaths> DatasetStore::Locate(const v1::DataSpec& spec) const {
  switch (spec.source_case()) {
    case v1::DataSpec::kDatasetId:
      return FindUploaded(spec.dataset_id());
    case v1::DataSpec::kFile:
      return FindFile(spec.file());
    default:
      return Invalid("source", "Say where the data is: a dataset_id from UploadDataset, or a file the service knows.");
  }
}

absl::StatusOr<DataPaths> DatasetStore::FindUploaded(const std::string& dataset_id) const {
  if (IsDatasetId(dataset_id)) {
    const std::string directory = absl::StrCat(root_, "/", kDatasetsFolder, "/", dataset_id);
    const auto file = [&](const char* name) { return absl::StrCat(directory, "/", name); };
    for (const char* const name : kTableFiles) {
      if (std::string table = file(name); IsReadableFile(table)) return DataPaths{.table = std::move(table)};
    }
    DataPaths arrays = {.inputs = file(kInputsFile), .targets = file(kTargetsFile)};
    if (std::string weights = file(kWeightsFile); IsReadableFile(weights)) arrays.weights = std::move(weights);
    if (IsReadableFile(arrays.inputs) && IsReadableFile(arrays.targets)) return arrays;
  }
  const std::string shown = Shortened(dataset_id, 100);
  return MakeError(
      v1::ERROR_REASON_DATASET_NOT_FOUND, "dataset_id",
      absl::StrCat("This service holds no dataset \"", shown, "\". Upload it, and use the id that returns."),
      {{"dataset_id", shown}});
}

absl::StatusOr<DataPaths> DatasetStore::FindFile(const std::string& name) const {
  const std::string shown = Shortened(name, 200);
  if (!IsPlainRelative(name)) {
    return MakeError(v1::ERROR_REASON_FILE_NAME_INVALID, "file",
                     absl::StrCat("\"", shown, "\" is no relative path without \"..\" below the service's folder ",
                                  root_, "/", kDataFilesFolder, "."),
                     {{"file", shown}});
  }
  // A link may lead anywhere, so it is the resolved path that must lie in the folder.
  std::error_code error;
  const fs::path folder = fs::canonical(fs::path(root_) / kDataFilesFolder, error);
  const fs::path path = fs::canonical(folder / name, error);
  const bool inside = !error && absl::StartsWith(path.string(), absl::StrCat(folder.string(), "/"));
  if (!inside || !IsReadableFile(path)) {
    return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "file",
                     absl::StrCat("There is no file \"", shown, "\" that can be read in the service's folder ", root_,
                                  "/", kDataFilesFolder, "."),
                     {{"file", shown}});
  }
  return DataPaths{.table = path.string()};
}

absl::StatusOr<std::unique_ptr<DatasetUpload>> DatasetStore::Begin(const v1::DatasetHeader& header) const {
  if (PartsOf(header.format()).empty())
    return Invalid("header.format", "The format must be CSV, TSV, NPZ, NPY or ARRAYS.");
  if (header.total_bytes() < 0) return Invalid("header.total_bytes", "The number of bytes must not be negative.");
  if (header.total_bytes() > max_bytes_) return TooLarge(max_bytes_);
  std::string directory = absl::StrCat(root_, "/", kDatasetsFolder, "/", kStagingPrefix, "XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) return DiskError("stored");
  return std::unique_ptr<DatasetUpload>(new DatasetUpload(*this, header, directory));
}

DatasetUpload::DatasetUpload(const DatasetStore& store, v1::DatasetHeader header, std::string directory)
    : store_(store), header_(std::move(header)), directory_(std::move(directory)) {}

DatasetUpload::~DatasetUpload() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

absl::Status DatasetUpload::Append(const v1::DatasetChunk& chunk) {
  if (static_cast<int64_t>(chunk.data().size()) > kMaxChunkBytes) {
    return MakeError(v1::ERROR_REASON_REQUEST_TOO_LARGE, "chunk.data",
                     absl::StrCat("A chunk holds at most ", kMaxChunkBytes, " bytes."),
                     {{"limit_bytes", absl::StrCat(kMaxChunkBytes)}});
  }
  const std::vector<Part> allowed = PartsOf(header_.format());
  const auto part = std::find_if(allowed.begin(), allowed.end(), [&](const Part& p) { return p.part == chunk.part(); });
  if (part == allowed.end() || chunk.part() < current_) {
    return Invalid("chunk.part", "The part does not belong to this format, or comes after a later part.");
  }
  total_bytes_ += static_cast<int64_t>(chunk.data().size());
  if (total_bytes_ > store_.max_bytes_) return TooLarge(store_.max_bytes_);
  current_ = chunk.part();
  std::unique_ptr<PartFile>& file = parts_[chunk.part()];
  if (file == nullptr) file = std::make_unique<PartFile>(absl::StrCat(directory_, "/", part->file));
  return file->Write(chunk.data());
}

std::string DatasetUpload::ContentId() const {
  std::string content = v1::DatasetFormat_Name(header_.format());
  for (const auto& [part, file] : parts_) absl::StrAppend(&content, "|", static_cast<int>(part), "=", file->summary());
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(digest.data()), &length, EVP_sha256(),
             nullptr);
  return absl::BytesToHexString(absl::string_view(digest).substr(0, kIdBytes));
}

absl::StatusOr<v1::UploadDatasetResponse> DatasetUpload::Finish() {
  for (const Part& part : PartsOf(header_.format())) {
    if (!part.required || parts_.contains(part.part)) continue;
    return Invalid("chunk.part", "The upload ended before every part of the dataset was there.");
  }
  if (header_.total_bytes() != 0 && header_.total_bytes() != total_bytes_) {
    return Invalid("header.total_bytes", absl::StrCat("The header announced ", header_.total_bytes(), " bytes, but ",
                                                      total_bytes_, " came."));
  }
  for (auto& [part, file] : parts_) {
    if (absl::Status synced = file->Sync(); !synced.ok()) return synced;
  }
  v1::UploadDatasetResponse response;
  response.set_dataset_id(ContentId());
  response.set_total_bytes(total_bytes_);
  const std::string final_directory = absl::StrCat(store_.root_, "/", kDatasetsFolder, "/", response.dataset_id());
  // Whoever renames first has stored it; the content is the same, so losing that race is success too.
  if (rename(directory_.c_str(), final_directory.c_str()) != 0) {
    if (errno != EEXIST && errno != ENOTEMPTY) return DiskError("stored");
    response.set_existed(true);
  }
  return response;
}

}  // namespace pilothouse::service
