#include "clients/cpp/pilot/panel.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "clients/cpp/pilot/curve.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/plugin_output.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

constexpr int kMaxCurveRows = 8;
constexpr int kMinCurveRows = 2;
constexpr int kMaxControlLines = 4;
constexpr int kMaxBarColumns = 100;
// Longer silences are worth a word: the service hears from a healthy trainer every second.
constexpr absl::Duration kWorryingSilence = absl::Seconds(5);
constexpr char kPlain[] = "";
constexpr char kBold[] = "1";
constexpr char kDim[] = "2";
constexpr char kRed[] = "1;31";
constexpr char kGreen[] = "1;32";
constexpr char kYellow[] = "1;33";

struct Piece {
  std::string text;
  // Parameters of an ANSI "select graphic rendition"; empty: none.
  const char* look;
};

const char* LookOf(v1::RunStatus status) {
  switch (status) {
    case v1::RUN_STATUS_TRAINING:
    case v1::RUN_STATUS_COMPLETED:
      return kGreen;
    case v1::RUN_STATUS_FAILED:
      return kRed;
    case v1::RUN_STATUS_LOST:
    case v1::RUN_STATUS_IDLE:
      return kYellow;
    default:
      return kBold;
  }
}

class Page {
 public:
  explicit Page(const PanelStyle& style) : style_(style), width_(std::max(1, style.width - 1)) {}

  int width() const { return width_; }
  int rows() const { return static_cast<int>(lines_.size()); }
  int room() const { return style_.height - rows(); }
  std::vector<std::string> Take() { return std::move(lines_); }

  // Pieces beside each other, two spaces apart; those that do not fit any more go to a line of their own.
  void Flow(const std::vector<Piece>& pieces) {
    std::string line;
    int used = 0;
    for (const Piece& piece : pieces) {
      if (piece.text.empty()) continue;
      const int columns = DisplayWidth(piece.text);
      if (used > 0 && used + 2 + columns > width_) {
        Add(std::exchange(line, ""));
        used = 0;
      }
      absl::StrAppend(&line, used > 0 ? "  " : "", Look(Truncate(piece.text, width_), piece.look));
      used += (used > 0 ? 2 : 0) + columns;
    }
    if (!line.empty()) Add(line);
  }
  void Blank() { Add(""); }

 private:
  void Add(const std::string& line) {
    if (rows() < style_.height) lines_.push_back(line);
  }
  std::string Look(const std::string& text, const char* look) const {
    const std::string drawn = style_.unicode ? text : absl::StrReplaceAll(text, {{"→", "->"}, {"…", "~"}});
    return style_.color && *look != '\0' ? absl::StrCat("\x1b[", look, "m", drawn, "\x1b[0m") : drawn;
  }

  const PanelStyle& style_;
  const int width_;
  std::vector<std::string> lines_;
};

void AddTitle(const RunView& view, absl::Time now, Page& page) {
  const v1::Run& run = view.run();
  std::vector<Piece> pieces = {{Printable(run.run_id()), kBold},
                               {StatusText(run.status(), run.idle_reason()), LookOf(run.status())}};
  const absl::Duration silence = view.TrainerSilence(now);
  if (!view.ended() && !view.lost_since().has_value() && silence > kWorryingSilence) {
    pieces.push_back({absl::StrCat("training thread last seen ", FormatSpan(silence), " ago"), kYellow});
    // A watch hears of no reason while the journal cannot take what would tell it.
    pieces.push_back({SayMore(run.run_id()), kDim});
  }
  page.Flow(pieces);
  if (view.lost_since().has_value()) {
    page.Flow({{absl::StrCat("connection lost ", FormatSpan(now - *view.lost_since()), " ago"), kYellow},
               {absl::StrCat("retrying in ", FormatSpan(view.retry_at() - now)), kYellow}});
  }
  for (const absl::string_view line : absl::StrSplit(run.status_message(), '\n', absl::SkipWhitespace())) {
    page.Flow({{Printable(line), kPlain}});
  }
  if (!view.checkpoint_error().empty()) {
    page.Flow({{absl::StrCat("the last checkpoint FAILED: ", PrintableLines(view.checkpoint_error(), " ")), kRed}});
  }
}

void AddProgress(const RunView& view, const PanelStyle& style, Page& page) {
  const v1::Run& run = view.run();
  // A paused run has got as far on its way as it had before: to where a resume leads.
  const bool paused = run.idle_reason() == v1::IDLE_REASON_PAUSED && run.resume_target() > run.batch();
  const int64_t goal = paused ? run.resume_target() : run.target();
  if (goal > 0) {
    const double fraction = static_cast<double>(run.batch()) / static_cast<double>(goal);
    const std::string percent = absl::StrFormat("%5.1f %%", 100 * std::min(fraction, 1.0));
    const int columns = std::min(kMaxBarColumns, page.width() - DisplayWidth(percent) - 2);
    page.Flow({{DrawBar(fraction, columns, style.unicode), kGreen}, {percent, kPlain}});
  }
  std::vector<Piece> pieces = {{absl::StrCat("batch ", FormatCount(run.batch()), " of ", FormatCount(goal)), kPlain}};
  if (const auto speed = view.BatchesPerSecond(); speed.has_value()) {
    const std::string number =
        *speed < 10 ? absl::StrFormat("%.1f", *speed) : FormatCount(static_cast<int64_t>(*speed));
    pieces.push_back({absl::StrCat(number, " batches/s"), kPlain});
  }
  if (const auto left = view.TimeToTarget(); left.has_value()) {
    pieces.push_back({absl::StrCat(FormatSpan(*left), " left"), kPlain});
  }
  if (run.has_checkpoint_batch()) {
    pieces.push_back({absl::StrCat("checkpoint at ", FormatCount(run.checkpoint_batch())), kDim});
  }
  page.Flow(pieces);
  page.Flow({{absl::StrCat("loss ", FormatLoss(run.loss())), kBold}, {absl::StrCat("eta ", EtaText(run)), kPlain}});
}

void AddReports(const RunView& view, int count, Page& page) {
  for (int i = 0; i < count; ++i) {
    const v1::Event& event = view.reports()[i];
    page.Flow({{absl::StrCat("batch ", FormatCount(event.batch()), "  ", ReportLine(event.plugin())),
                event.plugin().has_failure() ? kYellow : kPlain}});
  }
}

void AddCurve(const RunView& view, const PanelStyle& style, int rows, Page& page) {
  const std::vector<CurvePoint>& points = view.losses().points();
  constexpr int kLabelDigits = 4;
  constexpr int kLabelColumns = 10;
  constexpr int kMinCurveColumns = 10;
  const int columns = page.width() - kLabelColumns - 1;
  // Two rows for the blank line above and the batches below.
  if (points.size() < 2 || columns < kMinCurveColumns || rows < kMinCurveRows + 2) return;
  const int height = std::min(kMaxCurveRows, rows - 2);
  const Curve curve = DrawCurve(points, columns, height, style.unicode);
  if (curve.rows.empty()) return;
  page.Blank();
  for (int row = 0; row < height; ++row) {
    std::string label;
    if (row == 0) label = FormatNumber(curve.maximum, kLabelDigits);
    if (row == height - 1) label = FormatNumber(curve.minimum, kLabelDigits);
    page.Flow({{absl::StrFormat("%*s %s", kLabelColumns, label, curve.rows[row]), kPlain}});
  }
  const std::string first = FormatCount(points.front().batch);
  const std::string last = FormatCount(points.back().batch);
  const std::string scale = curve.logarithmic ? "loss (log) over batches" : "loss over batches";
  const int space = columns - static_cast<int>(first.size() + last.size() + scale.size());
  const std::string axis =
      space < 2 ? absl::StrFormat("%s to %s", first, last)
                : absl::StrCat(first, std::string(space / 2, ' '), scale, std::string(space - space / 2, ' '), last);
  page.Flow({{absl::StrCat(std::string(kLabelColumns + 1, ' '), axis), kDim}});
}

void AddControls(const RunView& view, int count, Page& page) {
  if (count < 1) return;
  page.Blank();
  for (int i = 0; i < count; ++i) {
    const v1::Event& event = view.controls()[i];
    const v1::ControlReport& control = event.control();
    std::string text =
        absl::StrCat(FormatClock(event.time()), "  batch ", FormatCount(event.batch()), "  ", ControlText(control));
    if (!control.origin().empty()) absl::StrAppend(&text, "  by ", Printable(control.origin()));
    if (!control.note().empty()) absl::StrAppend(&text, "  \"", Printable(control.note()), "\"");
    page.Flow({{text, kPlain}});
  }
}

}  // namespace

std::vector<std::string> RenderPanel(const RunView& view, absl::Time now, const PanelStyle& style) {
  Page page(style);
  if (!view.has_snapshot()) {
    page.Flow({{view.lost_since().has_value() ? "no connection yet, retrying" : "connecting", kYellow}});
    return page.Take();
  }
  AddTitle(view, now, page);
  AddProgress(view, style, page);
  std::vector<Piece> footer;
  if (view.events_left_out() > 0) {
    footer.push_back({absl::StrCat(FormatCount(static_cast<int64_t>(view.events_left_out())),
                                   " events left out: this watcher did not keep up"),
                      kYellow});
  }
  if (style.live) footer.push_back({"Ctrl-C leaves; the run goes on", kDim});
  // The footer takes its lines from the bottom, and may need two of them; then come reports of plugins and controls,
  // and the curve gets the rest.
  const int footer_rows = footer.empty() ? 0 : 1 + static_cast<int>(footer.size());
  const int reports = std::clamp(page.room() - footer_rows - 1, 0, static_cast<int>(view.reports().size()));
  AddReports(view, reports, page);
  const int known = static_cast<int>(view.controls().size());
  const int controls = std::clamp(std::min(known, page.room() - footer_rows - 1), 0, kMaxControlLines);
  AddCurve(view, style, page.room() - footer_rows - (controls > 0 ? controls + 1 : 0), page);
  AddControls(view, controls, page);
  if (page.room() > static_cast<int>(footer.size())) page.Blank();
  page.Flow(footer);
  return page.Take();
}

}  // namespace pilothouse::client
