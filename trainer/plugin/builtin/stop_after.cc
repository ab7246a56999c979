#include "trainer/plugin/builtin/stop_after.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/text.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/span_text.h"
#include "trainer/plugin/point.h"

namespace pilothouse::trainer {
namespace {

// Of a setting that is quoted in a reason.
constexpr size_t kMaxQuotedBytes = 80;

class StopAfter final : public Plugin {
 public:
  StopAfter(Span deadline, std::string reason) : deadline_(deadline), reason_(std::move(reason)) {}

  absl::Status Run(PluginContext& context) override {
    const bool reached = context.run().timelines().Now(deadline_.timeline) >= deadline_.ticks;
    if (reached && !context.done()) context.SetDone(reason_);
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    memory.Integer(deadline_.ticks);
    return memory.text();
  }

  // Not what was computed on making it: that would count anew from where the run was restored.
  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    deadline_.ticks = memory.Integer();
    return memory.Finish();
  }

 private:
  Span deadline_;
  const std::string reason_;
};

std::string Shown(absl::string_view text) { return Shortened(absl::StripAsciiWhitespace(text), kMaxQuotedBytes); }

// Where on its timeline the run is to end.
absl::StatusOr<Span> Deadline(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const absl::StatusOr<std::string> clock = settings.Choice("of", {"wall_time", "training_time"});
  if (!clock.ok()) return clock.status();
  const absl::StatusOr<Span> after = settings.SpanOn("after", *TimelineOf(*clock));
  if (!after.ok()) return after.status();
  // Whoever forgets the unit of a time would end the run within so many batches, for good.
  const std::string& text = settings.Text("after");
  if (std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalpha(c); })) {
    return PluginSettings::Invalid("after", text,
                                   absl::StrCat("The setting \"after\" needs a unit, such as \"", Shown(text),
                                                " batches\" or \"", Shown(text), " s\"."));
  }
  const Ticks now = surroundings.timelines->Now(after->timeline);
  if (after->ticks <= kMaxTicks - now) return Span{after->timeline, now + after->ticks};
  return PluginSettings::Invalid("after", settings.Text("after"),
                                 "The setting \"after\" reaches further than a run can count: give less.");
}

std::string Reason(const PluginSettings& settings, Timeline timeline) {
  const std::string after = Shown(settings.Text("after"));
  if (timeline == Timeline::kTrainingTime) return absl::StrCat("spent ", after, " on batches");
  if (timeline == Timeline::kWallTime) return absl::StrCat("ran for ", after);
  return absl::StrCat("trained for ", after);
}

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const absl::StatusOr<Span> deadline = Deadline(settings, surroundings);
  if (!deadline.ok()) return deadline.status();
  return std::make_unique<StopAfter>(*deadline, Reason(settings, deadline->timeline));
}

absl::StatusOr<PluginTiming> Timing(const PluginSettings& settings, const PluginSurroundings& surroundings) {
  const absl::StatusOr<Span> deadline = Deadline(settings, surroundings);
  if (!deadline.ok()) return deadline.status();
  return PluginTiming{absl::StrCat("from(", SpanText(deadline->timeline, deadline->ticks), ")"), deadline->timeline,
                      PluginPoint::kAfterBatch};
}

}  // namespace

PluginKind StopAfterKind() {
  return {
      .name = "stop-after",
      .description =
          "Ends the run at the first boundary so far after it was attached; one that is idle, when it goes on.",
      .settings =
          {{.name = "after",
            .description =
                "how far, above 0, with its unit: \"1 h\", \"500 batches\", \"20 epochs\", \"10000 examples\"",
            .required = true},
           {.name = "of",
            .description =
                "which time counts, where after is one: wall_time, or training_time, which is spent on batches alone",
            .usual = "wall_time"}},
      // Takes the place of one that begins where the settings say.
      .usual_schedule = "always",
      .usual_timing = Timing,
      .acts_at_end = false,
      .make = Make};
}

}  // namespace pilothouse::trainer
