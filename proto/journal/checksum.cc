#include "proto/journal/checksum.h"

#include <zlib.h>

#include <array>
#include <cstddef>

namespace pilothouse {

int64_t Checksum(std::initializer_list<uint64_t> numbers, std::initializer_list<absl::string_view> texts) {
  uLong sum = crc32(0, nullptr, 0);
  for (const uint64_t number : numbers) {
    std::array<unsigned char, 8> written;
    for (size_t i = 0; i < written.size(); ++i) written[i] = static_cast<unsigned char>(number >> (8 * i));
    sum = crc32_z(sum, written.data(), written.size());
  }
  for (const absl::string_view text : texts) {
    // zlib takes a null pointer for "begin anew".
    if (!text.empty()) sum = crc32_z(sum, reinterpret_cast<const Bytef*>(text.data()), text.size());
  }
  return static_cast<int64_t>(sum);
}

}  // namespace pilothouse
