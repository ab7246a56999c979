#include "service/runs/welcome.h"

namespace pilothouse::service {

void SetDataPaths(const DataPaths& data, v1::Welcome& welcome) {
  welcome.set_table_path(data.table);
  welcome.set_inputs_path(data.inputs);
  welcome.set_targets_path(data.targets);
  welcome.set_weights_path(data.weights);
}

v1::Welcome WelcomeFor(const RunPlace& place, const v1::RunSpec& spec, const v1::Run& run, uint64_t reports_taken,
                       const v1::Welcome& beginning) {
  v1::Welcome welcome;
  *welcome.mutable_spec() = spec;
  // For a trainer that has trained already this changes nothing.
  welcome.set_target(run.target());
  welcome.set_directory(place.directory);
  SetDataPaths(place.data, welcome);
  welcome.set_reports_taken(reports_taken);
  // A trainer that never reported anything has left nothing to go on from.
  welcome.set_resume(reports_taken > 0);
  if (welcome.resume()) {
    welcome.set_seen_batch(run.batch());
    welcome.set_data_sha256(run.facts().data_sha256());
  } else {
    welcome.MergeFrom(beginning);
  }
  return welcome;
}

}  // namespace pilothouse::service
