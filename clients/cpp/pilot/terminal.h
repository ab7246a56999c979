// The terminal: what it can do, a screen to draw on, and the signals that come from it. One thread only.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_TERMINAL_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_TERMINAL_H_

#include <cstdint>
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

// A line on standard error that is rewritten as something goes on, and gone at the end. Nothing is shown if standard
// error is not a terminal whose lines can be rewritten.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Bytes. What is small is over before anyone has read of it: of less than kLeastTotal nothing is shown.
  static constexpr int64_t kLeastTotal = int64_t{16} << 20;
  void Show(int64_t sent, int64_t total);

 private:
  const bool wanted_;
  // What the line says; −1: it is not there.
  int64_t percent_ = -1;
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
