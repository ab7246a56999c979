#include "service/rpc/loss_thinner.h"

#include <algorithm>
#include <cmath>

namespace pilothouse::service {

void LossThinner::Add(uint64_t sequence, double value) {
  if (losses_ < max_points_) all_.push_back(sequence);
  ++losses_;
  last_ = sequence;
  if (std::isfinite(value)) {
    AddFinite({sequence, value});
  } else {
    AddOdd(sequence);
  }
}

void LossThinner::AddFinite(Extreme loss) {
  const size_t most = (max_points_ - 2) / 2;
  if (most == 0) return;
  while (stretches_.size() == most && stretches_.back().losses == stretch_length_) {
    Halve(stretches_);
    stretch_length_ *= 2;
  }
  const Stretch alone = {loss, loss, 1};
  if (stretches_.empty() || stretches_.back().losses == stretch_length_) {
    stretches_.push_back(alone);
  } else {
    Widen(stretches_.back(), alone);
  }
}

void LossThinner::AddOdd(uint64_t sequence) {
  if (odd_seen_++ % odd_stride_ != 0) return;
  odd_.push_back(sequence);
  if (odd_.size() < max_points_) return;
  size_t kept = 0;
  for (size_t i = 0; i < odd_.size(); i += 2) odd_[kept++] = odd_[i];
  odd_.resize(kept);
  odd_stride_ *= 2;
}

void LossThinner::Widen(Stretch& stretch, const Stretch& next) {
  if (next.least.value < stretch.least.value) stretch.least = next.least;
  if (next.greatest.value >= stretch.greatest.value) stretch.greatest = next.greatest;
  stretch.losses += next.losses;
}

void LossThinner::Halve(std::vector<Stretch>& stretches) {
  size_t kept = 0;
  for (size_t i = 0; i < stretches.size(); i += 2) {
    Stretch stretch = stretches[i];
    if (i + 1 < stretches.size()) Widen(stretch, stretches[i + 1]);
    stretches[kept++] = stretch;
  }
  stretches.resize(kept);
}

std::vector<uint64_t> LossThinner::Chosen() const {
  if (losses_ <= max_points_) return all_;
  std::vector<Stretch> stretches = stretches_;
  const size_t reserved = std::min(odd_.size(), max_points_ / 4);
  const size_t most = (max_points_ - 2 - std::min(reserved, max_points_ - 2)) / 2;
  if (most == 0) stretches.clear();
  while (stretches.size() > most) Halve(stretches);
  std::vector<uint64_t> chosen = {all_.front(), last_};
  for (const Stretch& stretch : stretches) {
    chosen.push_back(stretch.least.sequence);
    chosen.push_back(stretch.greatest.sequence);
  }
  const size_t room = max_points_ - chosen.size();
  const size_t odd = std::min(room, odd_.size());
  for (size_t i = 0; i < odd; ++i) chosen.push_back(odd_[i * odd_.size() / odd]);
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

}  // namespace pilothouse::service
