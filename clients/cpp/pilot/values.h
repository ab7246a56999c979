// What people type, as values. Everything here refuses with INVALID_ARGUMENT and a sentence that says what is expected.
// Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_VALUES_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_VALUES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pilothouse/v1/control.pb.h"
#include "pilothouse/v1/event.pb.h"
#include "pilothouse/v1/model.pb.h"
#include "pilothouse/v1/optimizer.pb.h"
#include "pilothouse/v1/plugin.pb.h"
#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

enum class ExportFormat {
  // As the file's ending says.
  kUnspecified,
  kCsv,
  kJsonLines,
  // The observatory's log.
  kJsons,
  kTensorBoard,
};

// Finite.
absl::StatusOr<double> ParseNumber(const std::string& text);
// Finite and above 0.
absl::StatusOr<double> ParseEta(const std::string& text);
// The same, or "schedule".
absl::StatusOr<v1::KnobChange> ParseEtaChange(const std::string& text);
// A whole number from 0 to 2^53.
absl::StatusOr<int64_t> ParseBatch(const std::string& text);
// The same, or "best": nothing.
absl::StatusOr<std::optional<int64_t>> ParseBatchOrBest(const std::string& text);
// A whole number from 1 on.
absl::StatusOr<int64_t> ParseCount(const std::string& text);
// "5000": up to that batch; "+50": that many more.
absl::StatusOr<v1::TargetChange> ParseTarget(const std::string& text);
// "50ms", "2s", "1m30s", or a bare number of seconds; 0 or more.
absl::StatusOr<absl::Duration> ParseDuration(const std::string& text);
// "0.1,0.2,-3".
absl::StatusOr<std::vector<double>> ParseNumbers(const std::string& text);
// "cross-entropy" (or "cross_entropy"), "binary-cross-entropy", "mse", "half-mse", "huber".
absl::StatusOr<v1::LossFunction> ParseLoss(const std::string& text);
// "adam", "gradient-descent" (or "gradient_descent").
absl::StatusOr<v1::OptimizerKind> ParseOptimizerKind(const std::string& text);
// "KIND [name=value …]": "adam beta1=0.95 weight_decay=0.01". Which settings a kind has, the trainer knows.
absl::StatusOr<v1::OptimizerSpec> ParseOptimizer(const std::string& text);
absl::StatusOr<v1::Precision> ParsePrecision(const std::string& text);
absl::StatusOr<v1::Initializer> ParseInitializer(const std::string& text);
// The size of a part of the examples, as DataSpec.validation_size takes it: "0.2", "20%" or "100". Returns the text
// without blanks around it, not its value: it is the trainer that rounds, in exact decimals.
absl::StatusOr<std::string> ParsePartSize(const std::string& text);
// "random", "tail", "stratified".
absl::StatusOr<v1::SplitMethod> ParseSplit(const std::string& text);
// A whole number from 1 to 64.
absl::StatusOr<int32_t> ParseThreads(const std::string& text);
// "last", "best", or the name of a saved file, with or without its folder: "swa.safetensors".
absl::StatusOr<v1::ModelChoice> ParseModel(const std::string& text);
// "test", "validation".
absl::StatusOr<v1::DataPart> ParsePart(const std::string& text);
// "batches", "examples", "epochs", "wall_time", "training_time".
absl::StatusOr<v1::Timeline> ParseTimeline(const std::string& text);
// "start", "before_batch", "after_batch", "after_validation", "before_stop", "end".
absl::StatusOr<v1::PluginPoint> ParsePoint(const std::string& text);
// −1,000 to 1,000.
absl::StatusOr<int> ParsePriority(const std::string& text);
// "yes" and "true", "no" and "false".
absl::StatusOr<bool> ParseYesNo(const std::string& text);
// How long a plugin's call may take: above 0, at most 1 h.
absl::StatusOr<absl::Duration> ParseAllowance(const std::string& text);
// 1 to 1,000 failures in a row.
absl::StatusOr<int> ParseFailures(const std::string& text);
// A whole number from 0 to 2^64 - 1.
absl::StatusOr<uint64_t> ParseSeed(const std::string& text);
// "momentum=0.9".
absl::StatusOr<v1::KnobChange> ParseKnobChange(const std::string& text);
// How many losses history is thinned to: 2 to 100,000.
absl::StatusOr<int32_t> ParsePoints(const std::string& text);
// "csv", "jsonl", "jsons" or "tensorboard".
absl::StatusOr<ExportFormat> ParseExportFormat(const std::string& text);
// By the ending of a file's name. kUnspecified: it says nothing.
ExportFormat FormatOfFile(const std::string& file);
// "loss,control": kinds of events.
absl::StatusOr<std::vector<v1::EventKind>> ParseKinds(const std::string& text);
// "loss".
std::string KindWord(v1::EventKind kind);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_VALUES_H_
