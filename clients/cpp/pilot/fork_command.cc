#include <cstdint>
#include <string>

#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/lineage_output.h"

namespace pilothouse::client {

int RunFork(const Session& session, const Arguments& arguments) {
  const ForkArguments& given = arguments.fork;
  // Any run can be forked, one that has ended too.
  const absl::StatusOr<v1::Run> parent = session.RunToRead(arguments.run);
  if (!parent.ok()) return session.Fail(parent.status());
  v1::ForkRequest request = given.request;
  request.set_run_id(parent->run_id());
  if (given.at_best) {
    const absl::StatusOr<int64_t> best = session.BatchOfBest(parent->run_id());
    if (!best.ok()) return session.Fail(best.status());
    request.set_batch(*best);
  }
  const absl::StatusOr<v1::Run> run = session.client().Fork(request);
  if (!run.ok()) return session.Fail(run.status());
  session.Print(session.json() ? RunJson(*run) : ForkedText(*run, given.watch));
  if (!session.json() && !given.request.attach_plugins().empty()) PrintWhatWaitsInVain(session, run->run_id());
  if (!given.watch) return kExitSuccess;
  // From its beginning, so that nothing is lost between the start and the watch.
  WatchArguments watch;
  watch.from_start = true;
  return WatchRun(session, *run, watch);
}

}  // namespace pilothouse::client
