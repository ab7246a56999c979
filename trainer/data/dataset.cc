#include "trainer/data/dataset.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/csv.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy.h"

namespace pilothouse::trainer {
namespace {

absl::StatusOr<bool> IsNpy(InputFile& file) {
  std::string start(sizeof(kNpyMagic) - 1, '\0');
  const absl::StatusOr<int64_t> got = file.Read(start.data(), static_cast<int64_t>(start.size()));
  file.Rewind();
  if (!got.ok()) return got.status();
  return start == kNpyMagic;
}

absl::StatusOr<NumberTable> ReadArray(const std::string& path, const std::string& what, int least_dimensions) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  return ReadNpyArray(*std::move(file), what, least_dimensions);
}

}  // namespace

absl::StatusOr<Dataset> ReadTable(const std::string& path, const std::vector<std::string>& target_columns) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<bool> is_npy = IsNpy(*file);
  if (!is_npy.ok()) return is_npy.status();
  return *is_npy ? ReadNpyTable(*std::move(file), target_columns) : ReadCsv(*file, target_columns);
}

absl::StatusOr<Dataset> ReadArrays(const std::string& inputs_path, const std::string& targets_path) {
  absl::StatusOr<NumberTable> inputs = ReadArray(inputs_path, "inputs", 2);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<NumberTable> targets = ReadArray(targets_path, "targets", 1);
  if (!targets.ok()) return targets.status();
  if (inputs->rows != targets->rows) {
    return MakeError(
        v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "data",
        absl::StrCat("There are ", inputs->rows, " rows of inputs but ", targets->rows, " rows of targets."),
        {{"expected", absl::StrCat(inputs->rows)}, {"got", absl::StrCat(targets->rows)}});
  }
  return Dataset{*std::move(inputs), *std::move(targets)};
}

}  // namespace pilothouse::trainer
