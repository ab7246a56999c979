#include "trainer/plugin/plugin_call.h"

#include <cmath>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/limits.h"
#include "proto/support/text.h"

namespace pilothouse::trainer {
namespace {

double Seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

absl::Status TooMany(absl::string_view what, size_t count, size_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("It reported ", count, " ", what, " at once; ", limit, " are allowed."));
}

absl::Status NotFinite(absl::string_view name, double value) {
  return absl::InvalidArgumentError(absl::StrCat("It reported ", value, " as \"", name, "\"."));
}

absl::Status CheckHistogram(const Histogram& histogram) {
  if (histogram.counts.size() > kMaxHistogramBins) return TooMany("bins", histogram.counts.size(), kMaxHistogramBins);
  for (const double edge : {histogram.minimum, histogram.maximum}) {
    if (!std::isfinite(edge)) return NotFinite(histogram.name, edge);
  }
  return absl::OkStatus();
}

absl::Status CheckText(absl::string_view text) {
  if (text.size() <= kMaxPluginTextBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("It reported a text of ", text.size(), " bytes; ", kMaxPluginTextBytes, " are allowed."));
}

absl::Status CheckOutput(const PluginOutput& output) {
  if (output.values.size() > kMaxPluginValues) return TooMany("values", output.values.size(), kMaxPluginValues);
  if (output.histograms.size() > kMaxPluginHistograms) {
    return TooMany("histograms", output.histograms.size(), kMaxPluginHistograms);
  }
  absl::Status status = CheckText(output.message);
  for (const auto& [name, value] : output.values) {
    status.Update(CheckText(name));
    if (!std::isfinite(value)) status.Update(NotFinite(name, value));
  }
  for (const Histogram& histogram : output.histograms) {
    status.Update(CheckText(histogram.name));
    status.Update(CheckHistogram(histogram));
  }
  return status;
}

absl::Status CheckReports(PluginContext& context) {
  if (context.outputs().size() > kMaxOutputsPerCall) {
    return TooMany("outputs", context.outputs().size(), kMaxOutputsPerCall);
  }
  if (context.wishes().size() > kMaxWishesPerCall) {
    return TooMany("wishes", context.wishes().size(), kMaxWishesPerCall);
  }
  absl::Status status;
  for (const PluginOutput& output : context.outputs()) status.Update(CheckOutput(output));
  return status;
}

std::string Sentence(const absl::Status& status) {
  const std::string message = status.message().empty() ? status.ToString() : std::string(status.message());
  return Shortened(ValidUtf8(message), kMaxPluginTextBytes);
}

}  // namespace

PluginCall CallPlugin(Plugin& plugin, PluginContext& context, std::chrono::nanoseconds allowance,
                      const std::function<std::chrono::steady_clock::time_point()>& clock) {
  PluginCall call;
  const auto begin = clock();
  absl::Status status = Guarded([&] { return plugin.Run(context); });
  call.took = clock() - begin;
  status.Update(CheckReports(context));
  if (!status.ok()) {
    call.failure = Sentence(status);
    call.undone = true;
    return call;
  }
  call.outputs = std::move(context.outputs());
  call.wishes = std::move(context.wishes());
  if (call.took > allowance) {
    call.failure = absl::StrCat("It took ", Seconds(call.took), " s; its allowance is ", Seconds(allowance), " s.");
  }
  return call;
}

absl::Status Guarded(const std::function<absl::Status()>& call) {
  try {
    return call();
  } catch (const std::exception& thrown) {
    return absl::InternalError(absl::StrCat("It threw an exception: ", thrown.what()));
  } catch (...) {
    return absl::InternalError("It threw something that is not a std::exception.");
  }
}

}  // namespace pilothouse::trainer
