// A file that has its name only when it is complete.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_OUTPUT_FILE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_OUTPUT_FILE_H_

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pilothouse::client {

// Written as NAME.tmp, which is removed where Commit was not called or failed. Errors have no reason. One thread only.
class OutputFile {
 public:
  // "-": standard output, which is written to at once.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Open(const std::string& name);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(absl::string_view text);
  // Gives the file its name, in place of any other. Call once, last.
  absl::Status Commit();

 private:
  OutputFile(std::string name, std::FILE* file);
  bool is_standard_output() const { return file_ == stdout; }
  absl::Status Failed(const char* what) const;

  const std::string name_;
  const std::string temporary_;
  // Null: closed.
  std::FILE* file_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_OUTPUT_FILE_H_
