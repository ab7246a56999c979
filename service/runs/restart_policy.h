// Whether a trainer that died is started again, and when. Pure: the time is passed in.
#ifndef PILOTHOUSE_SERVICE_RUNS_RESTART_POLICY_H_
#define PILOTHOUSE_SERVICE_RUNS_RESTART_POLICY_H_

#include <chrono>
#include <cstdint>
#include <optional>

namespace pilothouse::service {

// So often in a row a trainer is started again without its run having come further.
inline constexpr int kMaxRestarts = 3;
// A trainer that was well for so long owes its earlier deaths nothing.
inline constexpr std::chrono::minutes kRestartMemory{10};
// Before the first of these attempts; doubled before each one after it, up to the longest.
inline constexpr std::chrono::milliseconds kFirstRestartDelay{50};
inline constexpr std::chrono::milliseconds kLongestRestartDelay{10'000};

// Used by one thread.
class RestartPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `most` 0: never.
  explicit RestartPolicy(int most) : most_(most) {}

  // An event of this batch was journaled. Further than where the trainer ever died, it is progress.
  void OnBatch(int64_t batch);
  // The run was taken back: what it does now it has not died of yet.
  void OnTakenBack(int64_t batch);
  // The trainer is attached, and its run is where it was.
  void OnWell(Time now);
  // The trainer died, with its run at `batch`. How long to wait before it is started again; nullopt: it is not.
  std::optional<std::chrono::milliseconds> OnDeath(int64_t batch, Time now);

  int most() const { return most_; }
  // Since there was progress.
  int restarts() const { return restarts_; }

 private:
  const int most_;
  int restarts_ = 0;
  // The furthest batch at which a trainer died since there was progress; −1: none did.
  int64_t furthest_death_ = -1;
  std::optional<Time> well_since_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_RESTART_POLICY_H_
