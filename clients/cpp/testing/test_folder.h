#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_TEST_FOLDER_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_TEST_FOLDER_H_

#include <string>

namespace pilothouse::client {

// A new folder for a test's files and socket, removed with everything in it at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  std::string Address() const { return "unix:" + Path("socket"); }
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_TEST_FOLDER_H_
