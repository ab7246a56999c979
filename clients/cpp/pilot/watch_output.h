// How a watch is shown: as a panel, as lines, or as JSON lines. One thread only.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_WATCH_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_WATCH_OUTPUT_H_

#include <memory>

#include "absl/time/time.h"
#include "clients/cpp/pilot/run_view.h"
#include "clients/cpp/pilothouse_client/watch.h"

namespace pilothouse::client {

class WatchOutput {
 public:
  virtual ~WatchOutput() = default;
  // An item came, and `view` knows it.
  virtual void Show(const WatchItem& item, const RunView& view) = 0;
  // Time passes: called every 100 ms or less.
  virtual void Tick(const RunView& view, absl::Time now, bool suspend_asked) = 0;
  // There will be no more. Gives the terminal back.
  virtual void Finish(const RunView& view, absl::Time now) = 0;
};

// REQUIRES: CanDraw().
std::unique_ptr<WatchOutput> NewPanelOutput();
std::unique_ptr<WatchOutput> NewLineOutput();
std::unique_ptr<WatchOutput> NewJsonOutput();

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_WATCH_OUTPUT_H_
