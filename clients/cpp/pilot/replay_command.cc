#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/programs.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

constexpr char kJournal[] = "run.db";

bool HoldsJournal(const std::string& directory) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::path(directory) / kJournal, ignored);
}

// As opposed to the name of a run, which has no '/'.
bool IsDirectory(const std::string& what) {
  return what == "." || what == ".." || what.find('/') != std::string::npos || (!what.empty() && HoldsJournal(what));
}

// "gpu-box" of "gpu-box:50051".
std::string HostOf(const std::string& address) {
  return std::string(absl::string_view(address).substr(0, address.rfind(':')));
}

absl::StatusOr<std::string> DirectoryOfRun(const Session& session, const std::string& name) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(name);
  if (!run.ok()) return run.status();
  const std::string directory = Printable(run->directory());
  if (HoldsJournal(run->directory())) return run->directory();
  return absl::NotFoundError(
      absl::StrCat("the directory of ", Printable(run->run_id()), " is on the service's machine (", directory,
                   "), and this machine cannot read it. Copy it, with scp -r ", HostOf(session.client().address()), ":",
                   directory, " . say, and then ", "pilot replay ./", Printable(run->run_id()), "."));
}

}  // namespace

int RunReplay(const Arguments& arguments) {
  const ReplayArguments& given = arguments.replay;
  std::string directory = given.what;
  if (!IsDirectory(given.what)) {
    const absl::StatusOr<Session> session = Session::Open(arguments.global);
    if (!session.ok()) return PrintError(session.status(), ExitCodeOf(session.status()), arguments.global.json);
    absl::StatusOr<std::string> found = DirectoryOfRun(*session, given.what);
    if (!found.ok()) return session->Fail(found.status());
    directory = *std::move(found);
  }
  std::vector<std::string> command = {TrainerProgram(), "--replay", directory};
  const auto add = [&command](const std::string& option, const std::string& value) {
    command.push_back(option);
    command.push_back(value);
  };
  if (given.through.has_value()) add("--through", absl::StrCat(*given.through));
  for (const std::string& file : given.data) add("--data", file);
  if (!given.data_folder.empty()) add("--data-dir", given.data_folder);
  if (arguments.global.json) command.push_back("--json");
  const absl::Status failed = Become(command);
  return PrintError(
      absl::NotFoundError(absl::StrCat(std::string(failed.message()),
                                       " Replay is done by pilothouse-trainer; say with PILOTHOUSE_TRAINER "
                                       "where it is.")),
      kExitUsage, arguments.global.json);
}

}  // namespace pilothouse::client
