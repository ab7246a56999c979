#include "clients/cpp/pilot/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";
constexpr char kClearLine[] = "\r\x1b[K";
constexpr int kNotedSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

volatile sig_atomic_t end_signal = 0;
volatile sig_atomic_t suspend_asked = 0;
volatile sig_atomic_t screen_shown = 0;

void NoteSignal(int signal) {
  if (signal == SIGTSTP) {
    suspend_asked = 1;
  } else if (end_signal == 0) {
    end_signal = signal;
  } else {
    // Asked twice: whoever should have heeded the first is stuck, perhaps in writing to a pipe that nobody reads.
    if (screen_shown != 0 && write(STDOUT_FILENO, kLeave, sizeof(kLeave) - 1) < 0) _exit(kExitInterrupted);
    _exit(kExitInterrupted);
  }
}

void Send(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool HasUtf8() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string locale = absl::AsciiStrToUpper(Environment(name));
    if (!locale.empty()) return absl::StrContains(locale, "UTF-8") || absl::StrContains(locale, "UTF8");
  }
  return false;
}

// One that moves its cursor where it is told.
bool IsTerminal(int file) {
  const std::string terminal = Environment("TERM");
  return isatty(file) == 1 && !terminal.empty() && terminal != "dumb";
}

}  // namespace

bool CanDraw() { return IsTerminal(STDOUT_FILENO); }

PanelStyle TerminalStyle() {
  PanelStyle style;
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    style.width = size.ws_col;
    style.height = size.ws_row;
  }
  style.color = Environment("NO_COLOR").empty();
  style.unicode = HasUtf8();
  return style;
}

Screen::Screen() {
  Send(kEnter);
  screen_shown = 1;
}

Screen::~Screen() {
  screen_shown = 0;
  Send(kLeave);
}

void Screen::Show(const std::vector<std::string>& lines) {
  std::string frame = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) absl::StrAppend(&frame, i == 0 ? "" : "\r\n", lines[i], "\x1b[K");
  Send(frame + "\x1b[J");
}

void Screen::Suspend() {
  Send(kLeave);
  raise(SIGSTOP);
  Send(kEnter);
}

ProgressLine::ProgressLine(bool wanted) : wanted_(wanted && IsTerminal(STDERR_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (percent_ >= 0) std::fputs(kClearLine, stderr);
}

void ProgressLine::Show(int64_t sent, int64_t total) {
  if (!wanted_ || total < kLeastTotal) return;
  const int64_t percent = 100 * sent / total;
  if (percent == percent_) return;
  percent_ = percent;
  std::fprintf(stderr, "%ssent %d %% of %s", kClearLine, static_cast<int>(percent), FormatBytes(total).c_str());
}

SignalNotes::SignalNotes() {
  end_signal = 0;
  suspend_asked = 0;
  struct sigaction action = {};
  action.sa_handler = NoteSignal;
  action.sa_flags = SA_RESTART;
  for (const int signal : kNotedSignals) sigaction(signal, &action, nullptr);
}

SignalNotes::~SignalNotes() {
  for (const int number : kNotedSignals) signal(number, SIG_DFL);
}

int SignalNotes::EndAsked() const { return end_signal; }

bool SignalNotes::TakeSuspendAsked() {
  const bool asked = suspend_asked != 0;
  suspend_asked = 0;
  return asked;
}

}  // namespace pilothouse::client
