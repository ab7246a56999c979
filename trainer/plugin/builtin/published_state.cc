#include "trainer/plugin/builtin/published_state.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/atomic_file.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kFolder[] = "exchanged";
constexpr char kParameters[] = "own.safetensors";
constexpr char kDescription[] = "own.json";
constexpr size_t kHashDigits = 64;
// Enough to tell states of the same run and batch apart.
constexpr size_t kShownHashDigits = 8;

std::string PathIn(const std::string& directory, absl::string_view file) {
  return absl::StrCat(directory, "/", kFolder, "/", file);
}

absl::Status Malformed(const std::string& path, absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "", absl::StrCat("The file ", path, " ", why, "."),
                   {{"file", path}});
}

absl::Status MakeFolder(const std::string& directory) {
  std::error_code error;
  fs::create_directories(fs::path(directory) / kFolder, error);
  if (!error) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_INTERNAL, "",
                   absl::StrCat("The folder ", directory, "/", kFolder, " cannot be made: ", error.message(), "."));
}

absl::StatusOr<std::string> ReadWhole(const std::string& path, int64_t max_bytes) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) {
    return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "", absl::StrCat("The file ", path, " cannot be read."),
                     {{"file", path}});
  }
  if (size > static_cast<uintmax_t>(max_bytes)) {
    return Malformed(path, absl::StrCat("is larger than the ", max_bytes, " bytes that it may have"));
  }
  std::string content(size, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(size));
  if (!stream) return Malformed(path, "cannot be read to its end");
  return content;
}

bool IsHash(absl::string_view text) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); };
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), is_digit);
}

bool Holds(const Json& json, const char* name, bool (Json::*is_type)() const noexcept) {
  return json.contains(name) && (json[name].*is_type)();
}

}  // namespace

absl::Status PublishState(const std::string& directory, const Model& model, PublishedState state) {
  if (absl::Status status = MakeFolder(directory); !status.ok()) return status;
  const std::string parameters = PathIn(directory, kParameters);
  if (absl::Status status = model.Save(parameters, state.batch); !status.ok()) return status;
  absl::StatusOr<std::string> hash = FileHash(parameters);
  if (!hash.ok()) return hash.status();
  // Last, so that it never describes parameters that are not there yet.
  const Json json = {{"batch", state.batch},      {"metric", state.metric},
                     {"value", state.value},      {"validation_examples", state.validation_examples},
                     {"eta", state.eta},          {"optimizer", state.optimizer},
                     {"sha256", *std::move(hash)}};
  const std::string text = json.dump() + "\n";
  return WriteFileAtomically(PathIn(directory, kDescription), {text});
}

absl::StatusOr<PublishedState> ReadPublishedState(const std::string& directory) {
  const std::string path = PathIn(directory, kDescription);
  const absl::StatusOr<std::string> text = ReadWhole(path, kMaxPublishedDescriptionBytes);
  if (!text.ok()) return text.status();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool complete = json.is_object() && Holds(json, "batch", &Json::is_number_unsigned) &&
                        Holds(json, "metric", &Json::is_string) && Holds(json, "value", &Json::is_number) &&
                        Holds(json, "validation_examples", &Json::is_number_unsigned) &&
                        Holds(json, "eta", &Json::is_number) && Holds(json, "sha256", &Json::is_string);
  const bool names_optimizer = !json.contains("optimizer") || Holds(json, "optimizer", &Json::is_string);
  if (!complete || !names_optimizer) return Malformed(path, "does not describe a state");
  PublishedState state{json["batch"].get<int64_t>(),     json["metric"].get<std::string>(),
                       json["value"].get<double>(),      json["validation_examples"].get<int64_t>(),
                       json["eta"].get<double>(),        json.value("optimizer", "gradient_descent"),
                       json["sha256"].get<std::string>()};
  const bool sound = state.batch >= 0 && state.validation_examples >= 0 && std::isfinite(state.value) &&
                     std::isfinite(state.eta) && state.eta > 0 && IsHash(state.sha256);
  if (!sound) return Malformed(path, "describes an impossible state");
  return state;
}

absl::StatusOr<std::string> CopyPublishedState(const std::string& from, const std::string& run_id,
                                               const PublishedState& state, const std::string& directory,
                                               const Model& own, int64_t max_bytes) {
  const std::string name =
      absl::StrCat("from-", run_id, "-", state.batch, "-", state.sha256.substr(0, kShownHashDigits), ".safetensors");
  const std::string file = absl::StrCat(kFolder, "/", name);
  const std::string copy = PathIn(directory, name);
  // Taken before: the journal names this file, so it is not to be touched.
  if (const auto hash = FileHash(copy); hash.ok() && *hash == state.sha256) return file;
  if (absl::Status status = MakeFolder(directory); !status.ok()) return status;
  const absl::StatusOr<std::string> content = ReadWhole(PathIn(from, kParameters), max_bytes);
  if (!content.ok()) return content.status();
  if (absl::Status status = WriteFileAtomically(copy, {*content}); !status.ok()) return status;
  const absl::StatusOr<std::string> hash = FileHash(copy);
  const bool same = hash.ok() && *hash == state.sha256;
  const absl::Status fits = same ? own.CheckFile(copy) : absl::OkStatus();
  if (same && fits.ok()) return file;
  std::error_code ignored;
  fs::remove(copy, ignored);
  return same ? fits : Malformed(PathIn(from, kParameters), "has changed since it was described");
}

}  // namespace pilothouse::trainer
