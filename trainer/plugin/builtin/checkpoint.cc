#include "trainer/plugin/builtin/checkpoint.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/plugin/builtin/memory.h"
#include "trainer/plugin/builtin/saved_folder.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMaxKept = 1000;
constexpr size_t kMaxPrefixBytes = 64;

class Checkpoint final : public Plugin {
 public:
  // keep: 0 keeps all.
  Checkpoint(std::string prefix, int64_t keep) : prefix_(std::move(prefix)), keep_(keep) {}

  absl::Status Run(PluginContext& context) override {
    RunView& run = context.run();
    if (context.done() && (!context.started() || run.batch() == last_batch_)) return absl::OkStatus();
    const std::string file = FileOf(run.batch());
    const absl::Status saved = SaveInFolder(run, *run.Parameters(), file);
    if (!saved.ok()) return saved;
    last_batch_ = run.batch();
    PluginOutput output;
    output.message = absl::StrCat("saved ", SavedFile(file));
    if (keep_ > 0) DeleteOld(run, output);
    context.Report(std::move(output));
    return absl::OkStatus();
  }

  std::string Save() const override {
    MemoryWriter memory;
    memory.Integer(last_batch_);
    memory.Integer(static_cast<int64_t>(batches_.size()));
    for (const int64_t batch : batches_) memory.Integer(batch);
    return memory.text();
  }

  absl::Status Restore(absl::string_view state) override {
    MemoryReader memory(state);
    last_batch_ = memory.Integer();
    const int64_t count = std::clamp<int64_t>(memory.Integer(), 0, kMaxKept);
    batches_.clear();
    for (int64_t i = 0; i < count; ++i) batches_.push_back(memory.Integer());
    return memory.Finish();
  }

 private:
  std::string FileOf(int64_t batch) const { return absl::StrFormat("%s-%012d.safetensors", prefix_, batch); }

  // By when they were saved, not by their batch: a run that went back saves earlier batches later.
  void DeleteOld(const RunView& run, PluginOutput& output) {
    batches_.erase(std::remove(batches_.begin(), batches_.end(), last_batch_), batches_.end());
    batches_.push_back(last_batch_);
    while (static_cast<int64_t>(batches_.size()) > keep_) {
      const std::string file = SavedFile(FileOf(batches_.front()));
      batches_.pop_front();
      std::error_code error;
      std::filesystem::remove(absl::StrCat(run.directory(), "/", file), error);
      // What was to be saved is saved: a file too many is no failure.
      if (error) absl::StrAppend(&output.message, "; ", file, " cannot be deleted (", error.message(), ")");
    }
  }

  const std::string prefix_;
  const int64_t keep_;
  int64_t last_batch_ = -1;
  // Whose files are kept, oldest first; empty if all are.
  std::deque<int64_t> batches_;
};

absl::StatusOr<std::unique_ptr<Plugin>> Make(const PluginSettings& settings, const PluginSurroundings&) {
  absl::StatusOr<std::string> prefix = settings.FileName("prefix");
  if (!prefix.ok()) return prefix.status();
  if (prefix->size() > kMaxPrefixBytes) {
    return PluginSettings::Invalid(
        "prefix", *prefix, absl::StrCat("The setting \"prefix\" takes at most ", kMaxPrefixBytes, " characters."));
  }
  const absl::StatusOr<int64_t> keep = settings.Integer("keep", 0, kMaxKept);
  if (!keep.ok()) return keep.status();
  return std::make_unique<Checkpoint>(*std::move(prefix), *keep);
}

}  // namespace

PluginKind CheckpointKind() {
  return {.name = "checkpoint",
          .description = "Saves the parameters, and nothing else yet, now and then and at the end of the run.",
          .settings = {{.name = "prefix",
                        .description = "the files are saved/PREFIX-BATCH.safetensors in the run's directory",
                        .usual = "checkpoint"},
                       {.name = "keep",
                        .description = "how many of its files to keep, the newest, up to 1000; 0: all",
                        .usual = "3"}},
          .usual_schedule = "each(5 min)",
          .usual_priority = kSavePriority + 50,
          .required = true,
          .file_setting = "prefix",
          .make = Make};
}

}  // namespace pilothouse::trainer
