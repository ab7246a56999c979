#include "trainer/data/plain_row.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

namespace pilothouse::trainer {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kWholePowers[9] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
// As many digits never overflow 64 bits.
constexpr int64_t kMostDigits = 19;
// Float64 holds these, up to 10^22, exactly.
constexpr double kPowersOfTen[kMostDigits + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
// Float64 holds every whole number up to this one.
constexpr uint64_t kMostExact = uint64_t{1} << 53;

constexpr uint64_t EightTimes(uint64_t byte) { return byte * 0x0101010101010101; }

// How many of eight characters, the first in the lowest byte, are digits before something else. `digits` are the
// characters less '0'.
int64_t CountDigits(uint64_t digits) {
  // A byte above 9 gets its highest bit: by the sum, or because it had it. A carry reaches only what comes after.
  const uint64_t others = ((digits + EightTimes(0x76)) | digits) & EightTimes(0x80);
  return others == 0 ? 8 : std::countr_zero(others) / 8;
}

// The number that the first `count` of eight digits make. REQUIRES: 1 <= count <= 8.
uint64_t NumberOf(uint64_t digits, int64_t count) {
  // Zeros before them change nothing. Then neighbours become pairs, pairs become fours, and fours become eight.
  digits <<= 8 * (8 - count);
  digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF00FF00FF;
  digits = (digits * 100 + (digits >> 16)) & 0x0000FFFF0000FFFF;
  return (digits * 10'000 + (digits >> 32)) & 0xFFFFFFFF;
}

// Appends the digits at `text` to `number`, which wraps if they are too many; returns what follows them.
const char* TakeDigits(const char* text, uint64_t& number) {
  while (true) {
    uint64_t eight = 0;
    std::memcpy(&eight, text, sizeof(eight));
    // '0' to '9' differ from 0 to 9 by these bits alone.
    eight ^= EightTimes('0');
    const int64_t count = CountDigits(eight);
    if (count == 0) return text;
    number = number * kWholePowers[count] + NumberOf(eight, count);
    text += count;
    if (count < 8) return text;
  }
}

const char* TakeDigitsOneByOne(const char* text, uint64_t& number) {
  for (; static_cast<unsigned char>(*text - '0') < 10; ++text) {
    number = number * 10 + static_cast<unsigned char>(*text - '0');
  }
  return text;
}

// Any decimal number, as ParseNumber reads it.
const char* ParseAnyNumber(const char* text, const char* end, double& value) {
  const auto [stop, error] = std::from_chars(text, end, value);
  return error == std::errc() && std::isfinite(value) ? stop : nullptr;
}

// Reads the number that begins at `text`; returns what follows it, or null.
//
// A number of few digits is a whole number of at most 2^53 divided by a power of ten of at most 10^19. Float64 holds
// both exactly, so their quotient, which is rounded once, is the nearest number there is (Clinger, "How to read
// floating point numbers accurately", 1990).
const char* ParsePlainNumber(const char* text, const char* end, double& value) {
  const char* const first = text + (*text == '-' ? 1 : 0);
  uint64_t number = 0;
  // Before the point there are seldom more than two.
  const char* next = TakeDigitsOneByOne(first, number);
  int64_t digits = next - first;
  int64_t decimals = 0;
  if (*next == '.') {
    const char* const point = next;
    next = TakeDigits(point + 1, number);
    decimals = next - point - 1;
    digits += decimals;
  }
  const bool exact = digits >= 1 && digits <= kMostDigits && number <= kMostExact && (*next | 0x20) != 'e';
  if (!exact) return ParseAnyNumber(text, end, value);
  const double magnitude = static_cast<double>(number) / kPowersOfTen[decimals];
  value = *text == '-' ? -magnitude : magnitude;
  return next;
}

const char* SkipBlanks(const char* text) {
  while (*text == ' ') ++text;
  return text;
}

}  // namespace

const char* ParsePlainRow(const char* text, const char* end, char delimiter, int64_t columns, double* row) {
  for (int64_t column = 0; column < columns; ++column) {
    text = ParsePlainNumber(SkipBlanks(text), end, row[column]);
    if (text == nullptr) return nullptr;
    text = SkipBlanks(text);
    if (column + 1 == columns) break;
    if (*text != delimiter) return nullptr;
    ++text;
  }
  if (*text == '\r') ++text;
  return *text == '\n' ? text + 1 : nullptr;
}

}  // namespace pilothouse::trainer
