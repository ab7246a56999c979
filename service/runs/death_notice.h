// What is told of a trainer that died, or is on its way to where its run was: sentences for people. Pure.
#ifndef PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_
#define PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_

#include <cstdint>
#include <optional>
#include <string>

namespace pilothouse::service {

struct Death {
  // "exit code 1". Empty: nobody saw how.
  std::string how;
  // It was told to end, and left the run as it should: that is no failure, and not counted.
  bool told_to_end() const;
  // How often in a row it was started again, and how often it may be.
  int restarts = 0;
  int most = 0;
  // The end of its log, where there is something to tell.
  std::string log;
  // Where the run was.
  int64_t batch = 0;
  // The batch of the checkpoint that it goes on from. nullopt: there is none, so it begins again.
  std::optional<int64_t> checkpoint;
};

// That it is started again, for the `restarts`-th time in a row.
std::string StartedAgainNotice(const Death& death);
// How far a trainer has come on its way to where the run was, before what is told of why it has to.
std::string OnItsWayNotice(int64_t batch, int64_t run_batch, const std::string& why);
// How far a run has come on its way to the batch it was taken back to.
std::string GoingBackNotice(int64_t batch, int64_t run_batch);
// That it is not, after it was for `restarts` times.
std::string FailedNotice(const Death& death);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_DEATH_NOTICE_H_
