#include "trainer/net/random.h"

#include <Random123/philox.h>

#include <cmath>

#include "trainer/kernels/scalar_functions.h"

namespace pilothouse::trainer {
namespace {

constexpr int kPurposeShift = 56;

__extension__ using uint128 = unsigned __int128;

uint64_t Join(uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; }
uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t High(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

// Strictly between 0 and 1.
double ToUnit(uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

}  // namespace

RandomStream::RandomStream(uint64_t seed, RandomPurpose purpose, uint64_t index)
    : seed_(seed), stream_(index | static_cast<uint64_t>(purpose) << kPurposeShift) {}

std::array<uint32_t, 4> RandomStream::Words(uint64_t position) const {
  const r123::Philox4x32::ctr_type counter = {{Low(position), High(position), Low(stream_), High(stream_)}};
  const r123::Philox4x32::key_type key = {{Low(seed_), High(seed_)}};
  const r123::Philox4x32::ctr_type out = r123::Philox4x32()(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

std::array<uint64_t, 2> RandomStream::Pair(uint64_t pair) const {
  const std::array<uint32_t, 4> words = Words(pair);
  return {Join(words[0], words[1]), Join(words[2], words[3])};
}

uint64_t RandomStream::Bits(uint64_t position) const { return Pair(position / 2)[position % 2]; }

uint64_t RandomStream::Below(uint64_t bound, uint64_t position) const {
  return static_cast<uint64_t>(uint128{Bits(position)} * bound >> 64);
}

double RandomStream::Normal(uint64_t position) const {
  // Box and Muller: one pair of uniform numbers gives the two normal ones at its positions.
  const auto [first, second] = Pair(position / 2);
  const double radius = std::sqrt(-2 * fixed::Log(ToUnit(first)));
  const double turns = ToUnit(second);
  return radius * (position % 2 == 0 ? fixed::CosOfTurns(turns) : fixed::SinOfTurns(turns));
}

}  // namespace pilothouse::trainer
