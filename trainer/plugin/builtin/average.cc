#include "trainer/plugin/builtin/average.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/kernels/scalar_functions.h"
#include "trainer/plugin/builtin/saved_folder.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kMaxSaveEvery = int64_t{1} << 53;

struct Options {
  double decay = 0;
  std::string file;
  // 0: only at the end.
  int64_t save_every = 0;
};

// `average` in the type that `like` has.
NumberArray InTypeOf(const NumberArray& like, const std::vector<double>& average) {
  if (std::holds_alternative<std::vector<double>>(like.values)) return {like.shape, average};
  return {like.shape, std::vector<float>(average.begin(), average.end())};
}

class Average final : public Plugin {
 public:
  Average(Options options, int64_t parameters) : options_(std::move(options)), parameters_(parameters) {}

  absl::Status Run(PluginContext& context) override {
    if (context.done()) return calls_ > saved_calls_ ? SaveTo(context) : absl::OkStatus();
    if (absl::Status status = TakeIn(context.run().Parameters()->State()); !status.ok()) return status;
    const bool is_due = options_.save_every > 0 && calls_ - saved_calls_ >= options_.save_every;
    return is_due ? SaveTo(context) : absl::OkStatus();
  }

  // The number of calls, that at which it was saved last, and the average: eight bytes each, little-endian.
  std::string Save() const override {
    std::string saved(2 * sizeof(int64_t) + average_.size() * sizeof(double), '\0');
    std::memcpy(saved.data(), &calls_, sizeof(calls_));
    std::memcpy(saved.data() + sizeof(calls_), &saved_calls_, sizeof(saved_calls_));
    if (!average_.empty()) {
      std::memcpy(saved.data() + 2 * sizeof(int64_t), average_.data(), average_.size() * sizeof(double));
    }
    return saved;
  }

  absl::Status Restore(absl::string_view saved) override {
    const size_t header = 2 * sizeof(int64_t);
    int64_t calls = 0;
    int64_t saved_calls = 0;
    if (saved.size() >= header) {
      std::memcpy(&calls, saved.data(), sizeof(calls));
      std::memcpy(&saved_calls, saved.data() + sizeof(calls), sizeof(saved_calls));
    }
    const size_t values = calls > 0 ? static_cast<size_t>(parameters_) : 0;
    if (saved.size() != header + values * sizeof(double) || calls < 0 || saved_calls < 0 || saved_calls > calls) {
      return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                       "The saved average is damaged or belongs to another network; it cannot be restored.");
    }
    calls_ = calls;
    saved_calls_ = saved_calls;
    average_.resize(values);
    if (values > 0) std::memcpy(average_.data(), saved.data() + header, values * sizeof(double));
    return absl::OkStatus();
  }

 private:
  // Changes nothing if a parameter is not finite: such an average could never recover.
  absl::Status TakeIn(const NumberArray& state) {
    const bool all_finite = std::visit(
        [](const auto& values) {
          for (const auto value : values) {
            if (!std::isfinite(value)) return false;
          }
          return true;
        },
        state.values);
    if (!all_finite) {
      return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "",
                       "A parameter is not finite, so the parameters were not averaged; rewind the run or lower eta.");
    }
    ++calls_;
    // Exactly 1 at the first call, so that nothing remains of the zeros it begins with.
    const double weight =
        calls_ == 1 ? 1 : (1 - options_.decay) / fixed::OneMinusPower(options_.decay, static_cast<double>(calls_));
    std::visit(
        [&](const auto& values) {
          average_.resize(values.size(), 0);
          for (size_t i = 0; i < values.size(); ++i) {
            average_[i] += (static_cast<double>(values[i]) - average_[i]) * weight;
          }
        },
        state.values);
    return absl::OkStatus();
  }

  absl::Status SaveTo(PluginContext& context) {
    RunView& run = context.run();
    const std::shared_ptr<const Model> model = run.Parameters();
    const absl::Status status = SaveInFolder(run, *model->With(InTypeOf(model->State(), average_)), options_.file);
    if (!status.ok()) return status;
    saved_calls_ = calls_;
    context.Report({.values = {},
                    .histograms = {},
                    .message = absl::StrCat("The average of ", calls_, calls_ == 1 ? " state" : " states",
                                            " was saved to ", SavedFile(options_.file), ".")});
    return absl::OkStatus();
  }

  const Options options_;
  const int64_t parameters_;
  std::vector<double> average_;
  int64_t calls_ = 0;
  int64_t saved_calls_ = 0;
};

absl::StatusOr<Options> ReadOptions(const PluginSettings& settings) {
  // The largest number below 1: with 1 itself nothing would ever be taken in.
  const absl::StatusOr<double> decay =
      settings.Number("decay", std::numeric_limits<double>::min(), std::nextafter(1.0, 0.0));
  if (!decay.ok()) {
    return PluginSettings::Invalid("decay", settings.Text("decay"),
                                   absl::StrCat("The setting \"decay\" takes a number above 0 and below 1; got \"",
                                                settings.Text("decay"), "\"."));
  }
  absl::StatusOr<std::string> file = settings.FileName("file");
  if (!file.ok()) return file.status();
  const absl::StatusOr<int64_t> save_every = settings.Integer("save_every", 0, kMaxSaveEvery);
  if (!save_every.ok()) return save_every.status();
  return Options{*decay, *std::move(file), *save_every};
}

}  // namespace

PluginKind AverageKind() {
  return {.name = "average",
          .description =
              "Keeps a running average of the parameters and saves it at the end of the run, with what the "
              "batch norms' statistics are then.",
          .settings = {{.name = "decay",
                        .description = "how much of the average each call keeps, above 0 and below 1",
                        .usual = "0.999"},
                       {.name = "file",
                        .description = "the file it is saved to, in the folder saved of the run's directory",
                        .usual = "average.safetensors"},
                       {.name = "save_every",
                        .description = "save it each so many calls too; 0: only at the end of the run",
                        .usual = "0"}},
          .usual_schedule = "each(1)",
          // After those that decide: what is averaged are the parameters that the next batch begins with.
          .usual_priority = kSavePriority,
          .acts_at_end = false,
          .file_setting = "file",
          .make = [](const PluginSettings& settings,
                     const PluginSurroundings& surroundings) -> absl::StatusOr<std::unique_ptr<Plugin>> {
            absl::StatusOr<Options> options = ReadOptions(settings);
            if (!options.ok()) return options.status();
            return std::make_unique<Average>(*std::move(options), surroundings.parameters);
          }};
}

}  // namespace pilothouse::trainer
