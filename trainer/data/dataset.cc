#include "trainer/data/dataset.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/csv.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy.h"
#include "trainer/data/npy_header.h"

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
  return ReadNpyArray(*file, what, least_dimensions);
}

absl::Status RefuseWeights(int64_t rows, const NumberTable& weights) {
  const std::string expected = absl::StrCat("[", rows, "]");
  const std::string got = absl::StrCat("[", weights.rows, ", ", weights.columns, "]");
  return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "data",
                   absl::StrCat("The weights are one for each row, of shape ", expected, "; they have ", got, "."),
                   {{"expected", expected}, {"got", got}});
}

}  // namespace

absl::StatusOr<Dataset> ReadTable(const std::string& path, const std::vector<std::string>& target_columns,
                                  const std::optional<std::string>& weight_column) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<bool> is_npy = IsNpy(*file);
  if (!is_npy.ok()) return is_npy.status();
  return *is_npy ? ReadNpyTable(*file, target_columns, weight_column)
                 : ReadCsv(*file, CsvDelimiter::kDetected, target_columns, weight_column);
}

absl::StatusOr<Dataset> ReadArrays(const std::string& inputs_path, const std::string& targets_path,
                                   const std::string& weights_path) {
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
  Dataset data{*std::move(inputs), *std::move(targets)};
  if (weights_path.empty()) return data;
  absl::StatusOr<NumberTable> weights = ReadArray(weights_path, "weights", 1);
  if (!weights.ok()) return weights.status();
  if (weights->rows != data.inputs.rows || weights->columns != 1) return RefuseWeights(data.inputs.rows, *weights);
  TakeIntoValues(*weights);
  data.weights = std::move(weights->values);
  return data;
}

}  // namespace pilothouse::trainer
