// For tests: a file that lives as long as the object.
#ifndef PILOTHOUSE_TRAINER_DATA_TEMPORARY_FILE_H_
#define PILOTHOUSE_TRAINER_DATA_TEMPORARY_FILE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace pilothouse::trainer {

class TemporaryFile {
 public:
  // Its name ends in `ending`.
  explicit TemporaryFile(const std::string& contents, const std::string& ending = "")
      : path_(absl::StrCat(testing::TempDir(), "/pilothouse-data-", getpid(), "-", NextNumber(), ending)) {
    std::ofstream stream(path_, std::ios::binary);
    stream << contents;
    EXPECT_TRUE(stream.flush()) << path_;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  static int NextNumber() {
    static int number = 0;
    return ++number;
  }

  const std::string path_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_TEMPORARY_FILE_H_
