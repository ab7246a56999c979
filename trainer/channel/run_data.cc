#include "trainer/channel/run_data.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/dataset_files.h"
#include "proto/support/error.h"
#include "trainer/checkpoint/file_hash.h"

namespace pilothouse::trainer {
namespace {

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

std::vector<std::string> DataFiles::paths() const {
  if (!table.empty()) return {table};
  if (weights.empty()) return {inputs, targets};
  return {inputs, targets, weights};
}

DataFiles DataFilesOf(const v1::Welcome& welcome) {
  return {welcome.table_path(), welcome.inputs_path(), welcome.targets_path(), welcome.weights_path()};
}

absl::StatusOr<DataFiles> FindData(const v1::DataSpec& spec, const std::string& data_directory) {
  DataFiles files;
  if (spec.has_file()) {
    files.table = absl::StrCat(data_directory, "/", kDataFilesFolder, "/", spec.file());
    if (IsFile(files.table)) return files;
  } else {
    const std::string folder = absl::StrCat(data_directory, "/", kDatasetsFolder, "/", spec.dataset_id(), "/");
    for (const char* const table : kTableFiles) {
      if (std::string path = folder + table; IsFile(path)) return DataFiles{.table = std::move(path)};
    }
    files = {.inputs = folder + kInputsFile, .targets = folder + kTargetsFile};
    if (std::string weights = folder + kWeightsFile; IsFile(weights)) files.weights = std::move(weights);
    if (IsFile(files.inputs) && IsFile(files.targets)) return files;
  }
  const std::string name = spec.has_file() ? spec.file() : spec.dataset_id();
  return MakeError(v1::ERROR_REASON_FILE_NOT_FOUND, "data",
                   absl::StrCat("The run's data, ", name, ", are not below ", data_directory, "."), {{"file", name}});
}

absl::StatusOr<std::string> HashOfData(const DataFiles& files) { return FilesHash(files.paths()); }

absl::Status CheckDataHash(const std::string& expected, const std::string& found, absl::string_view advice) {
  if (expected.empty() || found.empty() || expected == found) return absl::OkStatus();
  return MakeError(v1::ERROR_REASON_DATA_CHANGED, "data",
                   absl::StrCat("The data are not those the run was started with: their SHA-256 is ", found,
                                ", and was ", expected, ". ", advice),
                   {{"expected", expected}, {"found", found}});
}

}  // namespace pilothouse::trainer
