// Random numbers that are a function of (seed, purpose, index, position), so that where a stream stands is one integer
// and no draw depends on which others were made. The generator is Philox4x32-10.
#ifndef PILOTHOUSE_TRAINER_NET_RANDOM_H_
#define PILOTHOUSE_TRAINER_NET_RANDOM_H_

#include <array>
#include <cstdint>

namespace pilothouse::trainer {

// What numbers are drawn for. Streams of different purposes are independent. The values are part of what a seed means:
// never change one.
enum class RandomPurpose : uint8_t {
  kInitialState = 1,
  kShuffle = 2,
  kHoldOut = 3,
  kPerturbation = 4,
  kDropout = 5,
};

// Immutable and thread-safe.
class RandomStream {
 public:
  // `index` tells streams of one purpose apart (the epoch, for instance). REQUIRES: index < 2^56.
  RandomStream(uint64_t seed, RandomPurpose purpose, uint64_t index);

  // 64 uniformly distributed bits.
  uint64_t Bits(uint64_t position) const;

  // Four times 32 uniformly distributed bits: those of Bits(2 · position) and Bits(2 · position + 1), at the price of
  // one.
  std::array<uint32_t, 4> Words(uint64_t position) const;

  // A whole number from 0 to bound − 1. Its bias, at most bound / 2^64, cannot be noticed. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound, uint64_t position) const;

  // Standard normal.
  double Normal(uint64_t position) const;

 private:
  // The two draws at positions 2·pair and 2·pair + 1, which one run of the generator gives.
  std::array<uint64_t, 2> Pair(uint64_t pair) const;

  uint64_t seed_;
  uint64_t stream_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_RANDOM_H_
