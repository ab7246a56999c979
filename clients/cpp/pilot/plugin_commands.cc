#include <string>
#include <vector>

#include "absl/strings/match.h"
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

// How a trainer ends what a plugin waits for where nothing will bring it about.
constexpr char kInVain[] = ", which no plugin makes";

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

void PrintWhatWaitsInVain(const Session& session, const std::string& run_id) {
  const absl::StatusOr<v1::ListPluginsResponse> list = session.client().ListPlugins(run_id);
  // What was asked for is done; this is a hint.
  if (!list.ok()) return;
  for (const v1::PluginStatus& plugin : list->plugins()) {
    if (!absl::EndsWith(plugin.waits_for(), kInVain)) continue;
    session.Print(absl::StrCat(Printable(plugin.spec().name()), " waits for ", Printable(plugin.waits_for()),
                               "; add one: pilot plugin add ", Printable(run_id), " 'each(100)' validate"));
  }
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
