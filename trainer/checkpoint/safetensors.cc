#include "trainer/checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"

namespace pilothouse::trainer {
namespace {

using Json = nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
// The header is padded to a multiple of this, so that the elements are aligned in a mapped file.
constexpr size_t kAlignment = 8;
constexpr size_t kLengthBytes = sizeof(uint64_t);

absl::Status Refuse(absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                   absl::StrCat("The file of saved parameters is damaged: ", why, "."));
}

const char* TypeName(TensorType type) {
  switch (type) {
    case TensorType::kFloat32:
      return "F32";
    case TensorType::kFloat64:
      return "F64";
    case TensorType::kBytes:
      break;
  }
  return "U8";
}

std::optional<TensorType> TypeOf(const Json& name) {
  for (const TensorType type : {TensorType::kFloat32, TensorType::kFloat64, TensorType::kBytes}) {
    if (name == TypeName(type)) return type;
  }
  return std::nullopt;
}

using NamedTensor = std::pair<const std::string, SavedTensor>;

// In the order of the file.
std::vector<const NamedTensor*> InFileOrder(const SavedState& state) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : state.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return ElementBytes(a->second.type) > ElementBytes(b->second.type);
  });
  return order;
}

// A tensor as the header describes it, before its bytes are looked at.
struct Entry {
  std::string name;
  TensorType type = TensorType::kFloat32;
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
  const std::optional<TensorType> type = TypeOf(json["dtype"]);
  if (!type.has_value()) return Refuse("a tensor is neither F32, F64 nor U8");
  entry.type = *type;
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  uint64_t bytes = ElementBytes(entry.type);
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

// Finds the tensors in `data`, which they must cover without overlap or hole.
absl::Status PlaceTensors(std::vector<Entry> entries, absl::string_view data, const std::shared_ptr<const void>& owner,
                          SavedState& state) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  uint64_t position = 0;
  for (Entry& entry : entries) {
    if (entry.begin != position || entry.end > data.size()) return Refuse("its tensors do not fill it");
    state.tensors[entry.name] = {entry.type, std::move(entry.shape), data.substr(entry.begin, entry.end - entry.begin),
                                 owner};
    position = entry.end;
  }
  return position == data.size() ? absl::OkStatus() : Refuse("bytes follow its last tensor");
}

}  // namespace

absl::StatusOr<std::string> SafetensorsHeader(const SavedState& state) {
  Json json = Json::object();
  if (!state.texts.empty()) json[kMetadata] = state.texts;
  size_t offset = 0;
  for (const NamedTensor* tensor : InFileOrder(state)) {
    const size_t end = offset + tensor->second.bytes.size();
    json[tensor->first] = {
        {"dtype", TypeName(tensor->second.type)}, {"shape", tensor->second.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Text that is not UTF-8 would make dump() throw by default.
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  const uint64_t bytes = (text.size() + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes)) {
    return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                     absl::StrCat("What is to be saved beside the parameters takes ", bytes,
                                  " bytes, more than a file's header may have. Detach plugins."),
                     {{"bytes", absl::StrCat(bytes)}, {"limit", absl::StrCat(kMaxSafetensorsHeaderBytes)}});
  }
  std::string header(kLengthBytes, '\0');
  std::memcpy(header.data(), &bytes, kLengthBytes);
  header += text;
  header.resize(kLengthBytes + bytes, ' ');
  return header;
}

std::vector<absl::string_view> SafetensorsParts(absl::string_view header, const SavedState& state) {
  std::vector<absl::string_view> parts = {header};
  for (const NamedTensor* tensor : InFileOrder(state)) parts.push_back(tensor->second.bytes);
  return parts;
}

absl::Status WriteSafetensors(const std::string& path, const SavedState& state) {
  const absl::StatusOr<std::string> header = SafetensorsHeader(state);
  if (!header.ok()) return header.status();
  return WriteFileAtomically(path, SafetensorsParts(*header, state));
}

absl::StatusOr<SavedState> ParseSafetensors(const FileContent& content) {
  absl::string_view file = content.bytes;
  uint64_t header_bytes = 0;
  if (file.size() < kLengthBytes) return Refuse("it is too short");
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  file.remove_prefix(kLengthBytes);
  if (header_bytes > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes) || header_bytes > file.size()) {
    return Refuse("its header is longer than it may be");
  }
  const Json header = Json::parse(file.begin(), file.begin() + header_bytes, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return Refuse("its header is not a JSON object");
  SavedState state;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      if (absl::Status status = ParseMetadata(json, state.texts); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<Entry> entry = ParseEntry(name, json);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  const absl::Status status = PlaceTensors(std::move(entries), file.substr(header_bytes), content.owner, state);
  if (!status.ok()) return status;
  return state;
}

absl::StatusOr<SavedState> ReadSafetensors(const std::string& path) {
  const absl::StatusOr<FileContent> content = ReadFileContent(path);
  if (!content.ok()) return content.status();
  return ParseSafetensors(*content);
}

}  // namespace pilothouse::trainer
