#include "clients/cpp/pilothouse_client/data_file.h"

#include <cerrno>
#include <cstddef>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pilothouse::client {
namespace {

// A first line that is longer is judged by so much of it.
constexpr size_t kLookedAtBytes = size_t{64} << 10;

constexpr absl::string_view kNpyMagic("\x93NUMPY", 6);
constexpr absl::string_view kZipMagic("PK\x03\x04", 4);

}  // namespace

absl::StatusOr<v1::DatasetFormat> DataFormatOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  std::string start(kLookedAtBytes, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(file.gcount()));
  if (absl::StartsWith(start, kNpyMagic)) return v1::DATASET_FORMAT_NPY;
  if (absl::StartsWith(start, kZipMagic)) return v1::DATASET_FORMAT_NPZ;
  if (absl::EndsWithIgnoreCase(path, ".tsv") || absl::EndsWithIgnoreCase(path, ".tab")) return v1::DATASET_FORMAT_TSV;
  const absl::string_view line = absl::string_view(start).substr(0, start.find('\n'));
  const bool tabs = absl::StrContains(line, '\t') && !absl::StrContains(line, ',');
  return tabs ? v1::DATASET_FORMAT_TSV : v1::DATASET_FORMAT_CSV;
}

}  // namespace pilothouse::client
