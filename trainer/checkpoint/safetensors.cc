#include "trainer/checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"

namespace pilothouse::trainer {
namespace {

using Json = nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
constexpr char kFloat32[] = "F32";
constexpr char kFloat64[] = "F64";
// The header is padded to a multiple of this, so that the elements are aligned in a mapped file.
constexpr size_t kAlignment = 8;

absl::Status Refuse(absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The file of saved parameters is damaged: ", why, "."));
}

absl::string_view BytesOf(const NumberArray& array) {
  return std::visit(
      [](const auto& values) {
        return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
      },
      array.values);
}

bool IsFloat64(const NumberArray& array) { return std::holds_alternative<std::vector<double>>(array.values); }

using NamedArray = std::pair<const std::string, NumberArray>;

// In the order of the file: the larger elements first, so that all are aligned.
std::vector<const NamedArray*> InFileOrder(const TensorFile& contents) {
  std::vector<const NamedArray*> order;
  for (const NamedArray& tensor : contents.tensors) order.push_back(&tensor);
  std::stable_partition(order.begin(), order.end(), [](const NamedArray* tensor) { return IsFloat64(tensor->second); });
  return order;
}

std::string MakeHeader(const std::vector<const NamedArray*>& order,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  size_t offset = 0;
  for (const NamedArray* tensor : order) {
    const size_t end = offset + BytesOf(tensor->second).size();
    header[tensor->first] = {{"dtype", IsFloat64(tensor->second) ? kFloat64 : kFloat32},
                             {"shape", tensor->second.shape},
                             {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Text that is not UTF-8 would make dump() throw by default.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

// A tensor as the header describes it, before its bytes are looked at.
struct Entry {
  std::string name;
  bool is_float64 = false;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

bool ParseSizes(const Json& json, std::vector<int64_t>& sizes) {
  if (!json.is_array()) return false;
  for (const Json& size : json) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) return false;
    sizes.push_back(size.get<int64_t>());
  }
  return true;
}

absl::StatusOr<Entry> ParseEntry(const std::string& name, const Json& json) {
  Entry entry;
  entry.name = name;
  std::vector<int64_t> offsets;
  const bool complete = json.is_object() && json.contains("dtype") && json.contains("shape") &&
                        json.contains("data_offsets") && ParseSizes(json["shape"], entry.shape) &&
                        ParseSizes(json["data_offsets"], offsets) && offsets.size() == 2;
  if (!complete) return Refuse("a tensor's description is incomplete");
  entry.is_float64 = json["dtype"] == kFloat64;
  if (!entry.is_float64 && json["dtype"] != kFloat32) return Refuse("a tensor is neither F32 nor F64");
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  uint64_t bytes = entry.is_float64 ? sizeof(double) : sizeof(float);
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return Refuse("a tensor's shape is absurd");
  }
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) return Refuse("a tensor's shape and size disagree");
  return entry;
}

absl::Status ParseMetadata(const Json& json, std::map<std::string, std::string>& metadata) {
  if (!json.is_object()) return Refuse("its metadata is not an object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return Refuse("its metadata holds something else than text");
    metadata[key] = value.get<std::string>();
  }
  return absl::OkStatus();
}

template <typename T>
std::vector<T> CopyValues(absl::string_view bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Copies the tensors out of `data`, which they must cover without overlap or hole.
absl::Status ReadTensors(std::vector<Entry> entries, absl::string_view data, TensorFile& contents) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position || entry.end > data.size()) return Refuse("its tensors do not fill it");
    const absl::string_view bytes = data.substr(entry.begin, entry.end - entry.begin);
    NumberArray& array = contents.tensors[entry.name];
    array.shape = entry.shape;
    if (entry.is_float64) {
      array.values = CopyValues<double>(bytes);
    } else {
      array.values = CopyValues<float>(bytes);
    }
    position = entry.end;
  }
  return position == data.size() ? absl::OkStatus() : Refuse("bytes follow its last tensor");
}

absl::StatusOr<TensorFile> Parse(absl::string_view file) {
  uint64_t header_bytes = 0;
  if (file.size() < sizeof(header_bytes)) return Refuse("it is too short");
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  file.remove_prefix(sizeof(header_bytes));
  if (header_bytes > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes) || header_bytes > file.size()) {
    return Refuse("its header is longer than it may be");
  }
  const Json header = Json::parse(file.begin(), file.begin() + header_bytes, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return Refuse("its header is not a JSON object");
  TensorFile contents;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      if (absl::Status status = ParseMetadata(json, contents.metadata); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<Entry> entry = ParseEntry(name, json);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  const absl::Status status = ReadTensors(std::move(entries), file.substr(header_bytes), contents);
  if (!status.ok()) return status;
  return contents;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const TensorFile& contents) {
  const std::vector<const NamedArray*> order = InFileOrder(contents);
  const std::string header = MakeHeader(order, contents.metadata);
  const uint64_t header_bytes = header.size();
  std::vector<absl::string_view> parts = {
      absl::string_view(reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes)), header};
  for (const NamedArray* tensor : order) parts.push_back(BytesOf(tensor->second));
  return WriteFileAtomically(path, parts);
}

absl::StatusOr<TensorFile> ReadSafetensors(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) {
    return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "", absl::StrCat("The file ", path, " cannot be opened."),
                     {{"file", path}});
  }
  std::string file(size, '\0');
  stream.read(file.data(), static_cast<std::streamsize>(size));
  if (!stream) return Refuse("it cannot be read to its end");
  return Parse(file);
}

}  // namespace pilothouse::trainer
