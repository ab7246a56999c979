#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/lineage_json.h"
#include "clients/cpp/pilot/lineage_output.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {

int RunCheckpoint(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<std::string> run_id = session.RunToChange(arguments.run);
  if (!run_id.ok()) return session.Fail(run_id.status());
  const ChangeArguments& given = arguments.change;
  session.NoteWaiting(*run_id, given.options);
  const absl::StatusOr<v1::SaveCheckpointResponse> saved =
      session.client().SaveCheckpoint(*run_id, given.change.checkpoint().pin(), given.options);
  if (!saved.ok()) return session.Fail(saved.status());
  const std::string which = arguments.run.empty() ? absl::StrCat(Printable(*run_id), ": ") : "";
  session.Print(session.json() ? SavedJson(*run_id, *saved) : which + SavedLine(*saved));
  return kExitSuccess;
}

int RunCheckpoints(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  const absl::StatusOr<v1::ListCheckpointsResponse> list = session.client().ListCheckpoints(run->run_id());
  if (!list.ok()) return session.Fail(list.status());
  if (session.json()) {
    session.Print(CheckpointsJson(run->run_id(), *list));
  } else if (list->checkpoints().empty()) {
    session.Print(absl::StrCat(Printable(run->run_id()), " has no checkpoints yet; pilot checkpoint ",
                               Printable(run->run_id()), " makes one"));
  } else {
    session.Print(std::string(absl::StripSuffix(CheckpointTable(*list), "\n")));
  }
  return kExitSuccess;
}

}  // namespace pilothouse::client
