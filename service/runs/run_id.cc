#include "service/runs/run_id.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/text.h"

namespace pilothouse::service {
namespace {

constexpr size_t kMaxRunIdBytes = 63;

constexpr std::array kQualities = {"amber",  "bold",  "brisk",  "calm",  "clear", "coral", "crisp", "deep",
                                   "eager",  "early", "fair",   "fleet", "fresh", "grand", "keen",  "light",
                                   "lively", "lucid", "mild",   "neat",  "noble", "pale",  "quick", "quiet",
                                   "ready",  "sharp", "smooth", "solid", "still", "swift", "vivid", "warm"};
constexpr std::array kPlaces = {"anchor", "bay",   "beacon", "bridge", "buoy",  "canal",   "cape",   "channel",
                                "cove",   "creek", "delta",  "dock",   "fjord", "harbor",  "haven",  "inlet",
                                "island", "jetty", "lagoon", "ledge",  "mole",  "narrows", "pier",   "port",
                                "quay",   "reef",  "river",  "shoal",  "shore", "sound",   "strait", "tide"};

bool IsIdCharacter(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; }

}  // namespace

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxRunIdBytes && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), IsIdCharacter);
}

absl::Status CheckRunId(absl::string_view run_id) {
  if (IsName(run_id)) return absl::OkStatus();
  const std::string shown = Shortened(run_id, kMaxRunIdBytes + 1);
  return MakeError(
      v1::ERROR_REASON_RUN_ID_INVALID, "run_id",
      absl::StrCat("A run id has 1 to 63 characters out of a-z, 0-9 and '-', and does not begin with '-'; got \"",
                   shown, "\"."),
      {{"run_id", shown}});
}

std::string MakeRunId(uint64_t random) {
  const uint64_t quality = random % kQualities.size();
  const uint64_t place = random / kQualities.size() % kPlaces.size();
  const uint64_t number = 100 + random / (kQualities.size() * kPlaces.size()) % 900;
  return absl::StrCat(kQualities[quality], "-", kPlaces[place], "-", number);
}

}  // namespace pilothouse::service
