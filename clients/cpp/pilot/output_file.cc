#include "clients/cpp/pilot/output_file.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pilothouse::client {

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& name) {
  if (name == "-") return std::unique_ptr<OutputFile>(new OutputFile(name, stdout));
  const std::string temporary = name + ".tmp";
  std::FILE* const file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", temporary));
  return std::unique_ptr<OutputFile>(new OutputFile(name, file));
}

OutputFile::OutputFile(std::string name, std::FILE* file)
    : name_(std::move(name)), temporary_(name_ + ".tmp"), file_(file) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr || is_standard_output()) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

absl::Status OutputFile::Failed(const char* what) const {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what, " ", name_));
}

absl::Status OutputFile::Write(absl::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) return Failed("write");
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  if (std::fflush(file_) != 0) return Failed("write");
  if (is_standard_output()) return absl::OkStatus();
  if (std::fclose(std::exchange(file_, nullptr)) != 0 || std::rename(temporary_.c_str(), name_.c_str()) != 0) {
    const absl::Status failed = Failed("write");
    std::remove(temporary_.c_str());
    return failed;
  }
  return absl::OkStatus();
}

}  // namespace pilothouse::client
