#include "trainer/optim/eta_schedule.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "trainer/kernels/scalar_functions.h"

namespace pilothouse::trainer {
namespace {

using Value = EtaSchedule::Value;

// Where a run is: t and one batch in the schedule's unit, and the learning step itself.
struct Place {
  double t = 0;
  double batches_per_unit = 1;
  int64_t batch = 1;
};

// How many batches are completed when t is first `from` or more: as many as the last learning step before it is.
int64_t LastBefore(double from, double batches_per_unit) {
  constexpr double kMost = static_cast<double>(int64_t{1} << 52);
  double batches = std::ceil(from * batches_per_unit);
  if (batches >= kMost) return kForeverBatch;
  // A product that is rounded may be beside what t, a quotient, says: t decides.
  while (batches / batches_per_unit < from) ++batches;
  while (batches > 0 && (batches - 1) / batches_per_unit >= from) --batches;
  return static_cast<int64_t>(batches);
}

Value Changing(double eta, const Place& place) { return {eta, place.batch}; }

// From `high` at part 0 to `low` at part 1.
double HalfCosine(double high, double low, double part) {
  return low + (high - low) * (1 + fixed::CosOfTurns(part / 2)) / 2;
}

Value At(const EtaSchedule::Constant&, double initial, const Place&) { return {initial, kForeverBatch}; }

Value At(const EtaSchedule::Steps& form, double initial, const Place& place) {
  const auto next = std::upper_bound(form.steps.begin(), form.steps.end(), place.t,
                                     [](double t, const EtaSchedule::Step& step) { return t < step.from; });
  const double eta = next == form.steps.begin() ? initial : std::prev(next)->eta;
  if (next == form.steps.end()) return {eta, kForeverBatch};
  return {eta, std::max(place.batch, LastBefore(next->from, place.batches_per_unit))};
}

Value At(const EtaSchedule::Exponential& form, double initial, const Place& place) {
  return Changing(initial * fixed::Power(form.factor, place.t / form.every), place);
}

Value At(const EtaSchedule::Cosine& form, double initial, const Place& place) {
  const double last = form.final > 0 ? form.final : initial / 1000;
  if (place.t >= form.over) return {last, kForeverBatch};
  if (place.t < form.warmup) {
    return Changing(initial * std::min(1.0, (place.t + 1 / place.batches_per_unit) / form.warmup), place);
  }
  return Changing(HalfCosine(initial, last, (place.t - form.warmup) / (form.over - form.warmup)), place);
}

Value At(const EtaSchedule::OneCycle& form, double initial, const Place& place) {
  const double first = initial / form.start;
  const double last = first / form.end;
  if (place.t >= form.over) return {last, kForeverBatch};
  const double part = place.t / form.over;
  if (part < form.rise) return Changing(HalfCosine(first, initial, part / form.rise), place);
  return Changing(HalfCosine(initial, last, (part - form.rise) / (1 - form.rise)), place);
}

}  // namespace

EtaSchedule::Value EtaSchedule::At(int64_t batch, double initial_eta, int64_t batches_per_epoch) const {
  const double per_unit = unit_ == Unit::kEpochs ? static_cast<double>(batches_per_epoch) : 1.0;
  const Place place{static_cast<double>(batch - 1) / per_unit, per_unit, batch};
  Value value = std::visit([&](const auto& form) { return trainer::At(form, initial_eta, place); }, form_);
  value.eta = std::clamp(value.eta, std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::max());
  return value;
}

}  // namespace pilothouse::trainer
