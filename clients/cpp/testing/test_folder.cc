#include "clients/cpp/testing/test_folder.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace pilothouse::client {

TestFolder::TestFolder() {
  // Not below the build folder: the path of a socket is limited to 107 characters.
  char pattern[] = "/tmp/pilothouse-test-XXXXXX";
  if (mkdtemp(pattern) == nullptr) throw std::runtime_error("no folder for the test's files");
  path_ = pattern;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::Write(const std::string& name, const std::string& content) const {
  std::ofstream(Path(name), std::ios::binary) << content;
  return Path(name);
}

}  // namespace pilothouse::client
