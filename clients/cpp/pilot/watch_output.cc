#include "clients/cpp/pilot/watch_output.h"

#include <signal.h>

#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/panel.h"
#include "clients/cpp/pilot/session.h"
#include "clients/cpp/pilot/terminal.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// Even a panel in which nothing happens shows how time passes.
constexpr absl::Duration kSlowestRedraw = absl::Milliseconds(500);
constexpr absl::Duration kFastestRedraw = absl::Milliseconds(100);
constexpr absl::Duration kSilenceToTell = absl::Seconds(10);

void Write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

class PanelOutput final : public WatchOutput {
 public:
  void Show(const WatchItem&, const RunView&) override { changed_ = true; }

  void Tick(const RunView& view, absl::Time now, bool suspend_asked) override {
    if (suspend_asked) {
      screen_->Suspend();
      drawn_at_ = absl::InfinitePast();
    }
    if (now - drawn_at_ < (changed_ ? kFastestRedraw : kSlowestRedraw)) return;
    screen_->Show(RenderPanel(view, now, TerminalStyle()));
    drawn_at_ = now;
    changed_ = false;
  }

  void Finish(const RunView& view, absl::Time now) override {
    screen_.reset();
    PanelStyle style = TerminalStyle();
    style.live = false;
    for (const std::string& line : RenderPanel(view, now, style)) Write(line + "\n");
  }

 private:
  std::optional<Screen> screen_{std::in_place};
  absl::Time drawn_at_ = absl::InfinitePast();
  bool changed_ = true;
};

class LineOutput final : public WatchOutput {
 public:
  void Show(const WatchItem& item, const RunView& view) override {
    if (!item.connection.ok()) {
      std::fprintf(stderr, "pilot: connection lost, retrying: %s\n", ErrorText(item.connection).c_str());
      return;
    }
    std::string lines;
    const v1::WatchTrainingResponse& message = item.message;
    if (message.has_snapshot() && !begun_) {
      const v1::Run& run = message.snapshot();
      absl::StrAppend(&lines, "run ", Printable(run.run_id()), "  ", StatusText(run.status(), run.idle_reason()),
                      "  batch ", run.batch(), "  target ", run.target(), "  loss ", FormatLoss(run.loss()), "  eta ",
                      FormatNumber(run.eta()), "\n");
      begun_ = true;
    }
    for (const v1::Gap& gap : message.gaps()) {
      absl::StrAppend(&lines, "left out: events from ", gap.first(), " to ", gap.last(),
                      ", since this watcher did not keep up\n");
    }
    for (const v1::Event& event : message.events()) absl::StrAppend(&lines, EventLine(event), "\n");
    Write(lines);
    silence_told_ = silence_told_ && view.TrainerSilence(absl::Now()) > kSilenceToTell;
  }

  void Tick(const RunView& view, absl::Time now, bool suspend_asked) override {
    if (suspend_asked) raise(SIGSTOP);
    if (silence_told_ || view.lost_since().has_value() || view.TrainerSilence(now) < kSilenceToTell) return;
    std::fprintf(stderr, "pilot: training thread last seen %s ago; %s\n", FormatSpan(view.TrainerSilence(now)).c_str(),
                 SayMore(view.run_id()).c_str());
    silence_told_ = true;
  }

  void Finish(const RunView&, absl::Time) override {}

 private:
  bool begun_ = false;
  bool silence_told_ = false;
};

class JsonOutput final : public WatchOutput {
 public:
  void Show(const WatchItem& item, const RunView&) override { Write(WatchLines(item)); }
  void Tick(const RunView&, absl::Time, bool suspend_asked) override {
    if (suspend_asked) raise(SIGSTOP);
  }
  void Finish(const RunView&, absl::Time) override {}
};

}  // namespace

std::unique_ptr<WatchOutput> NewPanelOutput() { return std::make_unique<PanelOutput>(); }
std::unique_ptr<WatchOutput> NewLineOutput() { return std::make_unique<LineOutput>(); }
std::unique_ptr<WatchOutput> NewJsonOutput() { return std::make_unique<JsonOutput>(); }

}  // namespace pilothouse::client
