#include "service/runs/data_wait.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

// Another one for another file, or after any change of it: of its content, its name or who may read it.
std::string StampOf(const DataPaths& paths) {
  std::string stamp;
  for (const std::string* path : {&paths.table, &paths.inputs, &paths.targets}) {
    struct stat facts = {};
    if (!path->empty() && stat(path->c_str(), &facts) != 0) facts = {};
    absl::StrAppend(&stamp, *path, "\n", facts.st_dev, " ", facts.st_ino, " ", facts.st_size, " ", facts.st_ctim.tv_sec,
                    " ", facts.st_ctim.tv_nsec, "\n");
  }
  return stamp;
}

}  // namespace

absl::StatusOr<DataPaths> DataWait::Look() {
  absl::StatusOr<DataPaths> paths = find_ ? find_() : paths_;
  if (!paths.ok()) {
    found_.clear();
    refused_.clear();
    why_ = paths.status();
    return why_;
  }
  std::string stamp = StampOf(*paths);
  const bool settled = !waiting() || stamp == found_;
  found_ = std::move(stamp);
  if (!settled || found_ == refused_) return why_;
  why_ = absl::OkStatus();
  return paths;
}

void DataWait::Refuse(const absl::Status& why) {
  why_ = why;
  // Those that could not be found may be found again as they were.
  refused_ = ReasonOf(why) == v1::ERROR_REASON_DATA_CHANGED ? found_ : "";
}

}  // namespace pilothouse::service
