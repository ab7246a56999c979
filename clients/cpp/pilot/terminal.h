// The terminal: what it can do, a screen to draw on, and the signals that come from it. One thread only.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_TERMINAL_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_TERMINAL_H_

#include <string>
#include <vector>

#include "clients/cpp/pilot/panel.h"

namespace pilothouse::client {

// Standard output is a terminal that can be drawn on (TERM is set and not "dumb").
bool CanDraw();

// Size, colours (unless NO_COLOR is set) and characters (by LC_ALL, LC_CTYPE, LANG) of the terminal now.
PanelStyle TerminalStyle();

// While it lives, the terminal shows an empty screen of its own without a cursor. What it showed before is back
// afterwards.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Replaces what is shown.
  void Show(const std::vector<std::string>& lines);
  // Gives the terminal back, stops this process as Ctrl-Z asks, and goes on when it is continued.
  void Suspend();
};

// While it lives, the signals to end (SIGINT, SIGTERM, SIGHUP) and to be suspended (SIGTSTP) are noted instead of
// obeyed.
class SignalNotes {
 public:
  SignalNotes();
  ~SignalNotes();
  SignalNotes(const SignalNotes&) = delete;
  SignalNotes& operator=(const SignalNotes&) = delete;

  // The signal that asked to end; 0: none did.
  int EndAsked() const;
  // Whether suspension was asked for since the last call.
  bool TakeSuspendAsked();
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_TERMINAL_H_
