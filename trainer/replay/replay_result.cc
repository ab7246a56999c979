#include "trainer/replay/replay_result.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {
namespace {

using Json = nlohmann::json;

std::string Counted(int64_t count, absl::string_view one, absl::string_view several) {
  return absl::StrCat(count, " ", count == 1 ? one : several);
}

std::string WithBits(const ReplayedValue& value) {
  return value.bits.empty() ? value.text : absl::StrCat(value.text, " (", value.bits, ")");
}

std::string Compared(const ReplayResult& result) {
  std::string text =
      absl::StrCat(Counted(result.losses, "loss", "losses"), ", ", Counted(result.states, "state", "states"), ", ",
                   Counted(result.checkpoints, "checkpoint", "checkpoints"));
  if (result.validations > 0) absl::StrAppend(&text, ", ", Counted(result.validations, "validation", "validations"));
  return text + " compared";
}

Json ToJson(const ReplayedValue& value) {
  Json json = {{"value", value.text}};
  if (!value.bits.empty()) json["bits"] = value.bits;
  return json;
}

}  // namespace

ReplayedValue ValueOf(double number) {
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  return {absl::StrFormat("%.17g", number), absl::StrFormat("0x%016x", bits)};
}

ReplayedValue ValueOf(float number) {
  uint32_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  return {absl::StrFormat("%.9g", number), absl::StrFormat("0x%08x", bits)};
}

std::string ToText(const ReplayResult& result) {
  std::string text;
  if (!result.base.empty()) {
    absl::StrAppend(&text, "begins at batch ", result.first_batch, " of run ", result.parent, ", with ", result.base,
                    "\n");
  }
  for (const SequenceRange& range : result.damaged) {
    absl::StrAppend(&text, "the journal is damaged: the events from sequence ", range.first, " to ", range.last,
                    " were left out\n");
  }
  if (!result.difference.has_value()) {
    absl::StrAppend(&text, "identical through batch ", result.through_batch, " (", Compared(result), ")\n");
    return text;
  }
  const Difference& difference = *result.difference;
  absl::StrAppend(&text, "differs at batch ", difference.batch, ", sequence ", difference.sequence, ", ",
                  difference.kind, difference.part.empty() ? "" : ", ", difference.part, ": the journal says ",
                  WithBits(difference.journal), ", replay found ", WithBits(difference.replay), "\n");
  absl::StrAppend(&text, "identical until then (", Compared(result), ")\n");
  return text;
}

std::string ToJson(const ReplayResult& result) {
  Json json = {{"run_id", result.run_id},
               {"identical", !result.difference.has_value()},
               {"through_batch", result.through_batch},
               {"losses", result.losses},
               {"states", result.states},
               {"checkpoints", result.checkpoints},
               {"validations", result.validations},
               {"batches", result.batches},
               {"rewinds", result.rewinds},
               {"first_batch", result.first_batch}};
  if (!result.base.empty()) json["base"] = {{"run_id", result.parent}, {"file", result.base}};
  json["damaged"] = Json::array();
  for (const SequenceRange& range : result.damaged) json["damaged"].push_back({range.first, range.last});
  if (result.difference.has_value()) {
    const Difference& difference = *result.difference;
    json["difference"] = {{"batch", difference.batch},
                          {"sequence", difference.sequence},
                          {"kind", difference.kind},
                          {"journal", ToJson(difference.journal)},
                          {"replay", ToJson(difference.replay)}};
    if (!difference.part.empty()) json["difference"]["part"] = difference.part;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pilothouse::trainer
