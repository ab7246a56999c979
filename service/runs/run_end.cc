#include "service/runs/run_end.h"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"
#include "service/runs/run_summary.h"

namespace pilothouse::service {
namespace {

using Json = nlohmann::json;

std::optional<Json> ReadJson(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(static_cast<size_t>(kMaxRunEndBytes) + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (static_cast<int64_t>(text.size()) > kMaxRunEndBytes) return std::nullopt;
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

// The status of that name, if a run can end with it.
std::optional<v1::RunStatus> EndStatus(const Json& name) {
  if (!name.is_string()) return std::nullopt;
  v1::RunStatus status = v1::RUN_STATUS_UNSPECIFIED;
  const bool known = v1::RunStatus_Parse(absl::StrCat("RUN_STATUS_", name.get<std::string>()), &status);
  return known && IsTerminal(status) ? std::optional(status) : std::nullopt;
}

}  // namespace

std::optional<RunEnd> ReadRunEnd(const std::string& directory) {
  const std::optional<Json> json = ReadJson(absl::StrCat(directory, "/", kRunEndFile));
  if (!json.has_value()) return std::nullopt;
  const Json message = json->value("message", Json(""));
  const Json batch = json->value("batch", Json());
  const Json loss = json->value("loss", Json(""));
  const std::optional<v1::RunStatus> status = EndStatus(json->value("status", Json()));
  const bool understood =
      status.has_value() && message.is_string() && batch.is_number_integer() && (loss.is_number() || loss.is_null());
  if (!understood || batch.get<int64_t>() < 0 || batch.get<int64_t>() > kMaxTarget) return std::nullopt;
  return RunEnd{.status = *status,
                .message = ValidUtf8(message.get<std::string>()),
                .batch = batch.get<int64_t>(),
                .loss = loss.is_null() ? std::numeric_limits<double>::quiet_NaN() : loss.get<double>()};
}

}  // namespace pilothouse::service
