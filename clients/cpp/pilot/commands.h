// The commands. Each does what its arguments say, prints, and returns an exit code.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_COMMANDS_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_COMMANDS_H_

#include <string>

#include "clients/cpp/pilot/arguments.h"
#include "clients/cpp/pilot/session.h"

namespace pilothouse::client {

int RunStart(const Session& session, const Arguments& arguments);
int RunRuns(const Session& session, const Arguments& arguments);
int RunState(const Session& session, const Arguments& arguments);
int RunWatch(const Session& session, const Arguments& arguments);
// set-eta, set, batch-to, pause, resume, rewind and stop; plugin add, remove and schedule.
int RunChange(const Session& session, const Arguments& arguments);
int RunCheckpoint(const Session& session, const Arguments& arguments);
int RunCheckpoints(const Session& session, const Arguments& arguments);
int RunFork(const Session& session, const Arguments& arguments);
int RunHistory(const Session& session, const Arguments& arguments);
int RunExport(const Session& session, const Arguments& arguments);
// Needs a service only where a run is named; becomes another program.
int RunReplay(const Arguments& arguments);
int RunPluginList(const Session& session, const Arguments& arguments);
// A line for each plugin of the run that waits for what nothing brings about; the run may have none.
void PrintWhatWaitsInVain(const Session& session, const std::string& run_id);
int RunPluginKinds(const Session& session, const Arguments& arguments);
int RunPredict(const Session& session, const Arguments& arguments);
int RunEvaluate(const Session& session, const Arguments& arguments);

// Watches a run until it ends.
int WatchRun(const Session& session, const v1::Run& run, const WatchArguments& arguments);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_COMMANDS_H_
