#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/plugin_json.h"
#include "clients/cpp/pilot/plugin_output.h"
#include "clients/cpp/pilot/terminal.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

std::string WithoutLastNewline(const std::string& text) { return std::string(absl::StripSuffix(text, "\n")); }

}  // namespace

int RunPluginList(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  const absl::StatusOr<v1::ListPluginsResponse> list = session.client().ListPlugins(run->run_id());
  if (!list.ok()) return session.Fail(list.status());
  if (session.json()) {
    session.Print(PluginsJson(run->run_id(), *list));
  } else if (list->plugins().empty()) {
    session.Print(absl::StrCat(Printable(run->run_id()), " has no plugins; pilot plugin kinds lists what there is"));
  } else {
    session.Print(WithoutLastNewline(PluginTable(*list, TerminalStyle().width)));
  }
  return kExitSuccess;
}

int RunPluginKinds(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::ListPluginKindsResponse> all = session.client().ListPluginKinds();
  if (!all.ok()) return session.Fail(all.status());
  const absl::StatusOr<std::vector<v1::PluginKind>> kinds = ChooseKinds(*all, arguments.plugin_kind);
  if (!kinds.ok()) return session.Fail(kinds.status());
  session.Print(session.json() ? PluginKindsJson(*kinds)
                               : WithoutLastNewline(PluginKindList(*kinds, TerminalStyle().width)));
  return kExitSuccess;
}

}  // namespace pilothouse::client
