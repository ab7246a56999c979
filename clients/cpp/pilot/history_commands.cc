#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/export_format.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/output_file.h"
#include "clients/cpp/pilot/programs.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// Hands every page to `take`, one in memory at a time, until there is none or `take` refuses.
template <typename Take>
absl::Status ReadPages(const Client& client, v1::ReadHistoryRequest request, Take take) {
  do {
    const absl::StatusOr<v1::ReadHistoryResponse> page = client.ReadHistory(request);
    if (!page.ok()) return page.status();
    if (const absl::Status taken = take(*page); !taken.ok()) return taken;
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

std::string DamageText(const v1::Gap& damage) {
  return absl::StrCat("the journal is damaged: events from ", damage.first(), " to ", damage.last(), " cannot be read");
}

std::string PageLines(const v1::ReadHistoryResponse& page, bool json) {
  if (json) return HistoryLines(page);
  std::string lines;
  for (const v1::Gap& damage : page.damaged()) absl::StrAppend(&lines, DamageText(damage), "\n");
  for (const v1::Event& event : page.events()) absl::StrAppend(&lines, EventLine(event), "\n");
  return lines;
}

// Never returns where it succeeds.
int ExportByPython(const Session& session, const Arguments& arguments, const std::string& run_id) {
  const HistoryArguments& given = arguments.history;
  const std::string python = PythonProgram();
  if (const absl::Status found = CheckPythonPackage(python); !found.ok()) return session.Fail(found);
  std::vector<std::string> command = {
      python,  "-m",   "pilothouse", "export",     "--address", session.client().address(),
      "--run", run_id, "--format",   "tensorboard"};
  const auto add = [&command](const std::string& option, const std::string& value) {
    command.push_back(option);
    command.push_back(value);
  };
  std::string kinds;
  for (const v1::EventKind kind : given.kinds) absl::StrAppend(&kinds, kinds.empty() ? "" : ",", KindWord(kind));
  if (!kinds.empty()) add("--kinds", kinds);
  if (given.from.has_value()) add("--from", absl::StrCat(*given.from));
  if (given.to.has_value()) add("--to", absl::StrCat(*given.to));
  if (given.points > 0) add("--points", absl::StrCat(given.points));
  if (!given.branch.empty()) add("--branch", given.branch);
  // Behind it, a folder may begin with a dash.
  add("--", arguments.export_to.file);
  return session.Fail(Become(command));
}

absl::StatusOr<int64_t> ExportTo(OutputFile& file, const Client& client, const v1::ReadHistoryRequest& request,
                                 ExportFormat format) {
  int64_t count = 0;
  ExportLines lines(format);
  if (const absl::Status begun = file.Write(lines.Header()); !begun.ok()) return begun;
  const absl::Status written = ReadPages(client, request, [&](const v1::ReadHistoryResponse& page) {
    for (const v1::Gap& damage : page.damaged()) std::fprintf(stderr, "pilot: %s.\n", DamageText(damage).c_str());
    for (const v1::Event& event : page.events()) {
      const std::string line = lines.Next(event);
      count += line.empty() ? 0 : 1;
      if (const absl::Status status = file.Write(line); !status.ok()) return status;
    }
    return absl::OkStatus();
  });
  if (!written.ok()) return written;
  if (const absl::Status committed = file.Commit(); !committed.ok()) return committed;
  return count;
}

}  // namespace

int RunHistory(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  const absl::Status read = ReadPages(session.client(), BuildHistoryRequest(arguments.history, run->run_id()),
                                      [&session](const v1::ReadHistoryResponse& page) {
                                        const std::string lines = PageLines(page, session.json());
                                        std::fwrite(lines.data(), 1, lines.size(), stdout);
                                        std::fflush(stdout);
                                        return absl::OkStatus();
                                      });
  return read.ok() ? kExitSuccess : session.Fail(read);
}

int RunExport(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  const ExportArguments& given = arguments.export_to;
  if (given.format == ExportFormat::kTensorBoard) return ExportByPython(session, arguments, run->run_id());
  HistoryArguments history = arguments.history;
  if (history.kinds.empty()) history.kinds = KindsOf(given.format);
  const absl::StatusOr<std::unique_ptr<OutputFile>> file = OutputFile::Open(given.file);
  if (!file.ok()) return session.Fail(file.status());
  const absl::StatusOr<int64_t> lines =
      ExportTo(**file, session.client(), BuildHistoryRequest(history, run->run_id()), given.format);
  if (!lines.ok()) return session.Fail(lines.status());
  if (given.file == "-") return kExitSuccess;
  session.Print(session.json() ? ExportJson(run->run_id(), given.file, *lines)
                               : absl::StrCat("wrote ", FormatCount(*lines), *lines == 1 ? " event" : " events", " of ",
                                              Printable(run->run_id()), " to ", given.file));
  return kExitSuccess;
}

}  // namespace pilothouse::client
