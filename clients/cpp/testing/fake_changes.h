// What changes do to a run of a fake service. It knows the knobs eta and loss_every and two kinds of plugins; nothing
// runs.
#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_CHANGES_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_CHANGES_H_

#include "absl/status/status.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

bool HasEnded(const v1::Run& run);

// RUN_ENDED, KNOB_UNKNOWN, PLUGIN_KIND_UNKNOWN, PLUGIN_ALREADY_EXISTS, PLUGIN_NOT_FOUND, BATCH_OUT_OF_RANGE,
// BRANCH_ALREADY_EXISTS, or SCHEDULE_INVALID for a schedule without its last ")".
absl::Status CheckChange(const v1::Run& run, const v1::Change& change);
// Fills in the values of the report, the plugin's name and the branch. A rewind leaves the batch as it is: the event of
// the control belongs there. REQUIRES: the change was checked.
void ApplyChange(const v1::Change& change, v1::Run& run, v1::ControlReport& report);

// "notify" and "validate".
v1::ListPluginKindsResponse FakePluginKinds();

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_CHANGES_H_
