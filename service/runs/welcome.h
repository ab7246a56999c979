// What a trainer that attaches is told.
#ifndef PILOTHOUSE_SERVICE_RUNS_WELCOME_H_
#define PILOTHOUSE_SERVICE_RUNS_WELCOME_H_

#include <cstdint>

#include "pilothouse/v1/run.pb.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "service/runs/run_place.h"

namespace pilothouse::service {

void SetDataPaths(const DataPaths& data, v1::Welcome& welcome);

// `spec` is complete. `run` is as it is known now, its reports up to `reports_taken` being journaled. `beginning` is
// what the first trainer of a fork is told besides. Pure.
v1::Welcome WelcomeFor(const RunPlace& place, const v1::RunSpec& spec, const v1::Run& run, uint64_t reports_taken,
                       const v1::Welcome& beginning);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_WELCOME_H_
