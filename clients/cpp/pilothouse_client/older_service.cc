#include "clients/cpp/pilothouse_client/older_service.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace pilothouse::client {
namespace {

// `sign`: how it shows. `service`: what to call it after that.
absl::Status OlderService(absl::string_view sign, absl::string_view service) {
  return absl::UnimplementedError(absl::StrCat("the service is older than this client: ", sign, ". Restart ", service,
                                               " with the programs of this version."));
}

}  // namespace

absl::Status UnknownCall(const std::string& address) {
  return OlderService(absl::StrCat("what answers at ", address, " does not know this call"), "it");
}

absl::Status CheckModelUsed(const v1::ModelChoice& asked, bool told) {
  const bool last = asked.saved_file().empty() && asked.model() != v1::MODEL_BEST;
  if (last || told) return absl::OkStatus();
  return OlderService("it does not say which parameters it has used", "it");
}

absl::Status CheckPartsKept(const v1::DataSpec& asked, const v1::Run& started) {
  const v1::RunFacts& facts = started.facts();
  std::vector<absl::string_view> lacking;
  if (!asked.validation_size().empty() && facts.validation_examples() == 0) lacking.push_back("validation");
  if (!asked.test_size().empty() && facts.test_examples() == 0) lacking.push_back("test");
  if (lacking.empty() || !started.has_facts()) return absl::OkStatus();
  const absl::string_view parts = lacking.size() == 1 ? " part that was" : " parts that were";
  return OlderService(
      absl::StrCat("run ", started.run_id(), " was started WITHOUT the ", absl::StrJoin(lacking, " and "), parts,
                   " asked for; pilot stop ", started.run_id(), " ends it"),
      "the service");
}

}  // namespace pilothouse::client
