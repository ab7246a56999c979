#include "proto/journal/checksum.h"

#include <zlib.h>

#include <array>

namespace pilothouse {

int64_t Checksum(std::initializer_list<uint64_t> numbers, absl::string_view bytes) {
  uLong sum = crc32(0, nullptr, 0);
  for (const uint64_t number : numbers) {
    std::array<unsigned char, 8> written;
    for (size_t i = 0; i < written.size(); ++i) written[i] = static_cast<unsigned char>(number >> (8 * i));
    sum = crc32_z(sum, written.data(), written.size());
  }
  // zlib takes a null pointer for "begin anew".
  if (bytes.empty()) return static_cast<int64_t>(sum);
  return static_cast<int64_t>(crc32_z(sum, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace pilothouse
