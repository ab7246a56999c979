// What is told of a trainer that died: sentences for people. Pure.
#ifndef PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_
#define PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_

#include <string>

#include "pilothouse/v1/run.pb.h"

namespace pilothouse::service {

struct Death {
  // "exit code 1". Empty: nobody saw how.
  std::string how;
  // How often in a row it was started again, and how often it may be.
  int restarts = 0;
  int most = 0;
  // The end of its log, where there is something to tell.
  std::string log;
};

// That it is started again, for the `restarts`-th time in a row; `run` is as it was then.
std::string StartedAgainNotice(const Death& death, const v1::Run& run);
// That it is not, after it was for `restarts` times.
std::string FailedNotice(const Death& death);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_
