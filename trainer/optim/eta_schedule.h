// Eta as a function of how far a run has come. η₀ is the eta the run was started with; t the batches or epochs
// completed before a learning step, as the schedule's unit says, with fractions of an epoch:
//
//   constant                       η₀
//   50,0.01;70,0.005               η₀ where t < 50, 0.01 from 50 on, 0.005 from 70 on
//   exponential factor=f every=e   η₀·f^(t/e)
//   cosine over=T warmup=w final=η₁
//                                  η₀·min(1, (t + one batch)/w) where t < w, then
//                                  η₁ + (η₀ − η₁)·(1 + cos(π·(t − w)/(T − w)))/2, and η₁ from T on.
//                                  Without warmup: 0; without final: η₀/1000
//   one-cycle over=T rise=r start=s end=e
//                                  a half cosine from η₀/s up to η₀ at r·T, another down to η₀/(s·e) at T, which holds
//                                  from then on. Without them: rise 0.3, start 25, end 10000
//
// "unit=batches" behind any of them counts batches; else it is epochs. Formulas: cosine as in Loshchilov and Hutter
// (2017), "SGDR"; one-cycle as in Smith and Topin (2019), "Super-Convergence", with PyTorch's usual numbers.
#ifndef PILOTHOUSE_TRAINER_OPTIM_ETA_SCHEDULE_H_
#define PILOTHOUSE_TRAINER_OPTIM_ETA_SCHEDULE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

inline constexpr size_t kMaxEtaScheduleCharacters = 4096;
inline constexpr int64_t kForeverBatch = std::numeric_limits<int64_t>::max();

// A value type, constant after construction; thread-safe.
class EtaSchedule {
 public:
  struct Step {
    double from = 0;  // above 0
    double eta = 0;   // finite, above 0
  };
  struct Constant {};
  struct Steps {
    std::vector<Step> steps;  // by `from`, no two alike
  };
  struct Exponential {
    double factor = 1;  // above 0, up to 1,000
    double every = 1;   // above 0
  };
  struct Cosine {
    double over = 1;    // above 0
    double warmup = 0;  // 0 up to, but not, `over`
    double final = 0;   // above 0; 0: a thousandth of η₀
  };
  struct OneCycle {
    double over = 1;     // above 0
    double rise = 0.3;   // above 0, below 1
    double start = 25;   // 1 or more
    double end = 10000;  // 1 or more
  };
  using Form = std::variant<Constant, Steps, Exponential, Cosine, OneCycle>;
  enum class Unit { kEpochs, kBatches };

  // Constant.
  EtaSchedule() = default;

  // Reads what is described above. ETA_SCHEDULE_INVALID, blaming "eta_schedule", says which entry or setting cannot be
  // read. Steps need not be given in their order.
  static absl::StatusOr<EtaSchedule> Parse(absl::string_view text);

  // An eta, and the last learning step for which it is the same; kForeverBatch: it does not change any more.
  struct Value {
    double eta = 0;
    int64_t through = 0;
  };
  // For learning step number `batch` (the first is 1). Finite and above 0 for every η₀ that is: where a formula leads
  // below the smallest number or beyond the largest, that number. REQUIRES: batch >= 1, batches_per_epoch >= 1.
  Value At(int64_t batch, double initial_eta, int64_t batches_per_epoch) const;

  // The same schedule can be read from it.
  const std::string& text() const { return text_; }

 private:
  EtaSchedule(std::string text, Form form, Unit unit) : text_(std::move(text)), form_(std::move(form)), unit_(unit) {}

  std::string text_ = "constant";
  Form form_;
  Unit unit_ = Unit::kEpochs;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_OPTIM_ETA_SCHEDULE_H_
