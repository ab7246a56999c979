#include "trainer/plugin/builtin/saved_folder.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::trainer {
namespace {

constexpr char kFolder[] = "saved";

absl::Status CannotSave(absl::string_view file, absl::string_view cause) {
  return MakeError(v1::ERROR_REASON_SAVE_FAILED, "",
                   absl::StrCat("The parameters cannot be saved in ", SavedFile(file), ": ", cause),
                   {{"cause", std::string(cause)}});
}

}  // namespace

std::string SavedFile(absl::string_view file) { return absl::StrCat(kFolder, "/", file); }

absl::Status SaveInFolder(const RunView& run, const Model& parameters, absl::string_view file) {
  std::error_code error;
  std::filesystem::create_directories(run.directory() + "/" + kFolder, error);
  if (error) return CannotSave(file, absl::StrCat("the folder cannot be made (", error.message(), ")."));
  const absl::Status saved = parameters.Save(absl::StrCat(run.directory(), "/", SavedFile(file)), run.batch());
  return saved.ok() ? saved : CannotSave(file, saved.message());
}

}  // namespace pilothouse::trainer
