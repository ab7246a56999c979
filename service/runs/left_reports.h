// What a trainer that is gone had to report when no service was there. Blocks on the disk.
#ifndef PILOTHOUSE_SERVICE_RUNS_LEFT_REPORTS_H_
#define PILOTHOUSE_SERVICE_RUNS_LEFT_REPORTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"

namespace pilothouse::service {

// Numbered as the trainer would have sent them; none if it left nothing. `last_report` is the last that is journaled.
// DATA_MALFORMED if the file is damaged, or there are reports missing between the two, which the journal had when the
// trainer was told so: what comes after them is of a run that the journal does not know. Even if those were losses
// only, which are journaled unsynced, and whose end a loss of power can take: the run is trained to the same place
// again. JOURNAL_FAILED if the file cannot be read just now.
absl::StatusOr<v1::Reports> ReadLeftReports(const std::string& directory, uint64_t last_report);
// To be called once they are journaled.
void RemoveLeftReports(const std::string& directory);
// Keeps a file that cannot be taken under another name: unrecorded.reports.damaged-N. JOURNAL_FAILED if it cannot be
// renamed.
absl::Status SetLeftReportsAside(const std::string& directory);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_LEFT_REPORTS_H_
