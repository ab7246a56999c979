#include "proto/journal/wal_format.h"

#include <bitset>

namespace pilothouse {
namespace {

// The lowest bit says how words are taken.
constexpr uint32_t kMagic = 0x377f0682;
constexpr uint32_t kVersion = 3007000;
constexpr size_t kSummedHeaderBytes = kWalHeaderBytes - 8;
constexpr size_t kSaltsAt = 8;
constexpr size_t kSumAt = 16;

uint32_t Word(absl::string_view bytes, size_t at, bool big_endian = true) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; ++i) {
    word = word << 8 | static_cast<unsigned char>(bytes[big_endian ? at + i : at + 3 - i]);
  }
  return word;
}

uint64_t TwoWords(absl::string_view bytes, size_t at) { return uint64_t{Word(bytes, at)} << 32 | Word(bytes, at + 4); }

WalSum SumIn(absl::string_view bytes, size_t at) { return {Word(bytes, at), Word(bytes, at + 4)}; }

void PutWord(std::string& bytes, size_t at, uint32_t word) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(word >> (24 - 8 * i));
}

void PutTwoWords(std::string& bytes, size_t at, uint64_t words) {
  PutWord(bytes, at, static_cast<uint32_t>(words >> 32));
  PutWord(bytes, at + 4, static_cast<uint32_t>(words));
}

bool IsPageSize(uint32_t bytes) {
  return bytes >= kMinWalPageBytes && bytes <= kMaxWalPageBytes && (bytes & (bytes - 1)) == 0;
}

}  // namespace

WalSum operator+(WalSum one, WalSum other) { return {one.first + other.first, one.second + other.second}; }
WalSum operator-(WalSum one, WalSum other) { return {one.first - other.first, one.second - other.second}; }

bool OneBitApart(WalSum one, WalSum other) {
  const std::bitset<32> first(one.first ^ other.first);
  const std::bitset<32> second(one.second ^ other.second);
  return first.count() + second.count() == 1;
}

WalSum SumOn(WalSum sum, absl::string_view bytes, bool big_endian) {
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    sum.first += Word(bytes, at, big_endian) + sum.second;
    sum.second += Word(bytes, at + 4, big_endian) + sum.first;
  }
  return sum;
}

WalSum Carried(WalSum sum, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 8) {
    sum.first += sum.second;
    sum.second += sum.first;
  }
  return sum;
}

WalHeader PeekWalHeader(absl::string_view bytes) {
  return {.big_endian = (Word(bytes, 0) & 1) != 0,
          .page_bytes = Word(bytes, 8),
          .generation = Word(bytes, 12),
          .salts = TwoWords(bytes, 16),
          .sum = SumIn(bytes, kSummedHeaderBytes)};
}

std::optional<WalHeader> ParseWalHeader(absl::string_view bytes) {
  if (bytes.size() < kWalHeaderBytes || (Word(bytes, 0) & ~1U) != kMagic || Word(bytes, 4) != kVersion) {
    return std::nullopt;
  }
  const WalHeader header = PeekWalHeader(bytes);
  const WalSum sum = SumOn({}, bytes.substr(0, kSummedHeaderBytes), header.big_endian);
  if (!IsPageSize(header.page_bytes) || !(sum == header.sum)) return std::nullopt;
  return header;
}

std::string WalHeaderText(const WalHeader& header) {
  std::string bytes(kWalHeaderBytes, '\0');
  PutWord(bytes, 0, kMagic | (header.big_endian ? 1 : 0));
  PutWord(bytes, 4, kVersion);
  PutWord(bytes, 8, header.page_bytes);
  PutWord(bytes, 12, header.generation);
  PutTwoWords(bytes, 16, header.salts);
  const WalSum sum = SumOn({}, absl::string_view(bytes).substr(0, kSummedHeaderBytes), header.big_endian);
  PutWord(bytes, kSummedHeaderBytes, sum.first);
  PutWord(bytes, kSummedHeaderBytes + 4, sum.second);
  return bytes;
}

WalFrame ParseWalFrame(absl::string_view bytes, bool big_endian) {
  return {.page = Word(bytes, 0),
          .size_after = Word(bytes, 4),
          .salts = TwoWords(bytes, kSaltsAt),
          .sum = SumIn(bytes, kSumAt),
          .content = SumOn(SumOn({}, SummedHeaderOf(bytes), big_endian), PageOf(bytes), big_endian)};
}

void SealWalFrame(std::string& bytes, uint64_t salts, WalSum sum) {
  PutTwoWords(bytes, kSaltsAt, salts);
  PutWord(bytes, kSumAt, sum.first);
  PutWord(bytes, kSumAt + 4, sum.second);
}

std::vector<BitFlip> FlipsThatExplain(absl::string_view frame, WalSum error, bool big_endian) {
  std::vector<BitFlip> flips;
  // What 1 more in a word adds to the checksum: neighbours in Fibonacci's numbers, which grow from the last word to
  // the first.
  WalSum weight = {0, 1};
  const size_t words = (frame.size() - kWalFrameHeaderBytes + kWalSummedHeaderBytes) / 4;
  for (size_t word = words; word-- > 0;) {
    const bool in_header = word < kWalSummedHeaderBytes / 4;
    const size_t at = word * 4 + (in_header ? 0 : kWalFrameHeaderBytes - kWalSummedHeaderBytes);
    const uint32_t value = Word(frame, at, big_endian);
    for (uint32_t bit = 0; bit < 32; ++bit) {
      // A bit that is set and should not be makes the word larger.
      const uint32_t more = (value >> bit & 1) != 0 ? 1U << bit : 0U - (1U << bit);
      if (more * weight.first != error.first || more * weight.second != error.second) continue;
      const size_t byte = big_endian ? 3 - bit / 8 : bit / 8;
      flips.push_back({at + byte, static_cast<uint8_t>(1U << bit % 8)});
    }
    weight = {weight.second, weight.first + weight.second};
  }
  return flips;
}

std::string WalFile::Frame(int64_t index, uint32_t page_bytes) {
  const size_t bytes = kWalFrameHeaderBytes + page_bytes;
  std::string frame = ReadAt(kWalHeaderBytes + static_cast<uint64_t>(index) * bytes, bytes);
  return frame.size() == bytes ? frame : std::string();
}

std::string WalFile::ReadAt(uint64_t offset, size_t bytes) {
  std::string content(bytes, '\0');
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(offset));
  stream_.read(content.data(), static_cast<std::streamsize>(bytes));
  content.resize(static_cast<size_t>(stream_.gcount()));
  return content;
}

}  // namespace pilothouse
