// Test support: reports as large as they come.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_LARGE_REPORTS_H_
#define PILOTHOUSE_TRAINER_CHANNEL_LARGE_REPORTS_H_

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/limits.h"
#include "trainer/loop/report.h"

namespace pilothouse::trainer {

inline std::string LongestText() { return std::string(kMaxPluginTextBytes, 'x'); }

inline Report ReportAt(int64_t batch, decltype(Report::kind) kind) {
  Report report;
  report.batch = batch;
  report.kind = std::move(kind);
  return report;
}

// An output of `values` values with the longest names.
inline Report OutputOf(int64_t batch, int values) {
  PluginOutput output;
  for (int i = 0; i < values; ++i) output.values.emplace_back(LongestText(), 0.5);
  return ReportAt(batch, PluginReport{"large", "large", std::move(output)});
}

// An output that fills every bound.
inline Report LargestOutput(int64_t batch) {
  Report report = OutputOf(batch, kMaxPluginValues);
  auto& output = std::get<PluginOutput>(std::get<PluginReport>(report.kind).what);
  const std::vector<int64_t> counts(kMaxHistogramBins, std::numeric_limits<int64_t>::max());
  for (int i = 0; i < kMaxPluginHistograms; ++i) output.histograms.push_back({LongestText(), -1, 1, counts});
  output.message = LongestText();
  return report;
}

// A spec that is as large as may be.
inline PluginSpec LargestSpec() {
  PluginSpec spec;
  spec.name = std::string(63, 'n');
  spec.kind = "large";
  spec.schedule = LongestText();
  for (int i = 2; i < kMaxPluginSpecBytes / kMaxPluginTextBytes; ++i) {
    spec.settings[absl::StrCat("setting-", i)] = LongestText();
  }
  return spec;
}

// A plugin was attached, and the run has as many as it may, all of the largest.
inline Report AttachedTheLast(int64_t batch) {
  Control control;
  control.change = AttachPluginChange{LargestSpec()};
  Report report = ReportAt(batch, ControlReport{std::move(control), kMaxPlugins, kMaxPlugins - 1, "large"});
  PluginStatus status;
  status.spec = LargestSpec();
  status.last_failure = LongestText();
  report.plugins.emplace(kMaxPlugins, status);
  return report;
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_LARGE_REPORTS_H_
