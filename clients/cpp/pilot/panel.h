// The live panel of `pilot watch`, as lines of text. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PANEL_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PANEL_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cpp/pilot/run_view.h"

namespace pilothouse::client {

struct PanelStyle {
  // Columns and rows there are; what does not fit is left out, the least important first.
  int width = 80;
  int height = 24;
  // With ANSI colours.
  bool color = false;
  // With block characters; otherwise ASCII throughout, but for names that hold more.
  bool unicode = true;
  // With the line that says how to leave.
  bool live = true;
};

// At most `height` lines, each of fewer than `width` columns (the last column is left free: some terminals wrap there).
std::vector<std::string> RenderPanel(const RunView& view, absl::Time now, const PanelStyle& style);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PANEL_H_
