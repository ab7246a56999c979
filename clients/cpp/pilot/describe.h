// Runs, events and receipts in words. Pure and thread-safe; all text is safe for a terminal (see Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_DESCRIBE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_DESCRIBE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/training_control.pb.h"

namespace pilothouse::client {

// "TRAINING".
std::string StatusWord(v1::RunStatus status);
// "adam", "gradient_descent"; what nothing says is gradient descent.
std::string OptimizerWord(v1::OptimizerKind kind);
// "0.01"; of a run that is known to have a schedule: "0.01 (schedule)" or "0.01 (overridden)".
std::string EtaText(const v1::Run& run);
// "target reached"; empty for a run that is not idle.
std::string IdleReasonText(v1::IdleReason reason);
// "IDLE (target reached)".
std::string StatusText(v1::RunStatus status, v1::IdleReason reason);
// "eta 0.1 → 0.01", "eta 0.1 → 0.01 (schedule)", "target 1,000 → 5,000", "pause", "resume to 5,000", "stop", "attach
// validate, each(100)".
std::string ControlText(const v1::ControlReport& control);
// "pilot state digits says more".
std::string SayMore(const std::string& run_id);
// One line for people and for grep: "12:03:41  batch 1200  loss 0.04213". Without a line's end.
std::string EventLine(const v1::Event& event);

// "eta is 0.01 from batch 1234 on (receipt 57)", "eta follows its schedule, and is 0.01, from …".
std::string ReceiptLine(const v1::Change& change, const v1::Receipt& receipt);
std::string StopLine(const std::string& run_id, const v1::StopResponse& response);

// Tables and paragraphs, each line ended.
std::string LayerTable(const v1::RunFacts& facts);
// Runs that live and have something to say of their status are marked, and the first sentence of it stands below.
std::string RunTable(const std::vector<v1::Run>& runs);
// `now`: by the service's clock, as far as it is known.
std::string RunPage(const v1::Run& run, absl::Time now);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_DESCRIBE_H_
