#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/lineage_output.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

absl::StatusOr<v1::Receipt> Ask(const Client& client, Command command, const std::string& run_id,
                                const ChangeArguments& given) {
  const v1::KnobChange& knob = given.change.knob();
  switch (command) {
    case Command::kSetEta:
      if (knob.follow_schedule()) return client.FollowEtaSchedule(run_id, given.options);
      return client.SetEta(run_id, knob.value(), given.options);
    case Command::kSet:
      return client.SetKnob(run_id, knob.name(), knob.value(), given.options);
    case Command::kPluginAdd:
      return client.AttachPlugin(run_id, given.change.attach_plugin().plugin(), given.options);
    case Command::kPluginRemove:
      return client.DetachPlugin(run_id, given.change.detach_plugin().name(), given.options);
    case Command::kPluginSchedule: {
      const v1::ReschedulePluginChange& change = given.change.reschedule_plugin();
      return client.ReschedulePlugin(run_id, change.name(), change.schedule(), change.timeline(), given.options);
    }
    case Command::kRewind:
      return client.Rewind(run_id, given.change.rewind().batch(), given.branch, given.options);
    default:
      return client.BatchTo(run_id, given.change.target(), given.options);
  }
}

int RunStop(const Session& session, const std::string& run_id, const ChangeOptions& options) {
  const absl::StatusOr<v1::StopResponse> response = session.client().Stop(run_id, options);
  if (!response.ok()) return session.Fail(response.status());
  session.Print(session.json() ? StopJson(run_id, *response) : StopLine(run_id, *response));
  return kExitSuccess;
}

}  // namespace

int RunChange(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<std::string> run_id = session.RunToChange(arguments.run);
  if (!run_id.ok()) return session.Fail(run_id.status());
  ChangeArguments given = arguments.change;
  if (given.to_best) {
    const absl::StatusOr<int64_t> best = session.BatchOfBest(*run_id);
    if (!best.ok()) return session.Fail(best.status());
    given.change.mutable_rewind()->set_batch(*best);
  }
  session.NoteWaiting(*run_id, given.options);
  if (arguments.command == Command::kStop) return RunStop(session, *run_id, given.options);
  const absl::StatusOr<v1::Receipt> receipt = Ask(session.client(), arguments.command, *run_id, given);
  if (!receipt.ok()) return session.Fail(receipt.status());
  if (session.json()) {
    session.Print(ReceiptJson(*run_id, *receipt));
  } else if (arguments.command == Command::kRewind) {
    session.Print(RewoundText(*run_id, *receipt));
  } else {
    // Whoever did not name the run learns which it was.
    session.Print(absl::StrCat(arguments.run.empty() ? absl::StrCat(Printable(*run_id), ": ") : "",
                               ReceiptLine(given.change, *receipt)));
    if (arguments.command == Command::kPluginAdd) PrintWhatWaitsInVain(session, *run_id);
  }
  return kExitSuccess;
}

}  // namespace pilothouse::client
