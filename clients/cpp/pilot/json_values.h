// How `--json` writes numbers, times and whole objects. Only what makes JSON should need this. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_VALUES_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_VALUES_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {

using Json = nlohmann::ordered_json;

// Those that JSON cannot hold become strings.
inline Json JsonNumber(double value) {
  if (std::isfinite(value)) return value;
  return FormatNumber(value);
}

// null: no batch was trained yet, which travels as −1.
inline Json JsonLoss(double loss) { return loss == -1 ? Json() : JsonNumber(loss); }

inline Json JsonNumbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(JsonNumber(value));
  return list;
}

inline Json JsonTime(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::ToString(time);
}

// In seconds.
inline Json JsonSpan(const google::protobuf::Duration& span) {
  return static_cast<double>(google::protobuf::util::TimeUtil::DurationToNanoseconds(span)) / 1e9;
}

// On one line. Text from elsewhere may not be UTF-8, which nlohmann would refuse with an exception.
inline std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_JSON_VALUES_H_
