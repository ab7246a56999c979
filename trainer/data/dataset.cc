#include "trainer/data/dataset.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/csv.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy.h"
#include "trainer/data/npy_header.h"
#include "trainer/data/npz.h"
#include "trainer/data/zip_archive.h"

namespace pilothouse::trainer {
namespace {

enum class Format { kNpy, kNpz, kText };

absl::StatusOr<Format> FormatOf(InputFile& file) {
  std::string start(sizeof(kNpyMagic) - 1, '\0');
  const absl::StatusOr<int64_t> got = file.Read(start.data(), static_cast<int64_t>(start.size()));
  file.Rewind();
  if (!got.ok()) return got.status();
  if (absl::StartsWith(start, kNpyMagic)) return Format::kNpy;
  return absl::StartsWith(start, kZipMagic) ? Format::kNpz : Format::kText;
}

bool IsNamedAsTsv(absl::string_view path) {
  return absl::EndsWithIgnoreCase(path, ".tsv") || absl::EndsWithIgnoreCase(path, ".tab");
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

absl::StatusOr<Dataset> ReadTable(const std::string& path, const ColumnChoice& columns, ParsedCopy* copy, RunAge age) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<Format> format = FormatOf(*file);
  if (!format.ok()) return format.status();
  switch (*format) {
    case Format::kNpy:
      return ReadNpyTable(*file, columns);
    case Format::kNpz:
      return ReadNpz(*file, columns, age);
    case Format::kText:
      break;
  }
  const CsvDelimiter delimiter = IsNamedAsTsv(path) ? CsvDelimiter::kTab : CsvDelimiter::kDetected;
  return ReadCsv(*file, delimiter, columns, copy);
}

absl::StatusOr<Dataset> PairRows(NumberTable inputs, NumberTable targets, std::optional<NumberTable> weights) {
  if (inputs.rows != targets.rows) {
    return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "data",
                     absl::StrCat("There are ", inputs.rows, " rows of inputs but ", targets.rows, " rows of targets."),
                     {{"expected", absl::StrCat(inputs.rows)}, {"got", absl::StrCat(targets.rows)}});
  }
  Dataset data{std::move(inputs), std::move(targets)};
  if (!weights.has_value()) return data;
  if (weights->rows != data.inputs.rows || weights->columns != 1) return RefuseWeights(data.inputs.rows, *weights);
  TakeIntoValues(*weights);
  data.weights = std::move(weights->values);
  return data;
}

absl::StatusOr<Dataset> ReadArrays(const std::string& inputs_path, const std::string& targets_path,
                                   const std::string& weights_path) {
  absl::StatusOr<NumberTable> inputs = ReadArray(inputs_path, "inputs", 2);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<NumberTable> targets = ReadArray(targets_path, "targets", 1);
  if (!targets.ok()) return targets.status();
  if (weights_path.empty()) return PairRows(*std::move(inputs), *std::move(targets));
  absl::StatusOr<NumberTable> weights = ReadArray(weights_path, "weights", 1);
  if (!weights.ok()) return weights.status();
  return PairRows(*std::move(inputs), *std::move(targets), *std::move(weights));
}

}  // namespace pilothouse::trainer
