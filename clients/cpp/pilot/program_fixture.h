// Test support: runs the program against a fake service.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAM_FIXTURE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAM_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "clients/cpp/testing/child_process.h"
#include "clients/cpp/testing/fake_service.h"
#include "clients/cpp/testing/test_folder.h"

namespace pilothouse::client {

class Program : public testing::Test {
 protected:
  struct Result {
    int exit_code;
    std::string output;
    std::string errors;
  };

  std::unique_ptr<ChildProcess> Begin(const std::string& line,
                                      ChildProcess::Output output = ChildProcess::Output::kPipe) const {
    return Begin(std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())), output);
  }

  std::unique_ptr<ChildProcess> Begin(std::vector<std::string> command,
                                      ChildProcess::Output output = ChildProcess::Output::kPipe) const {
    command.insert(command.begin(), PILOT_BINARY);
    // Of two with the same name, the first holds.
    std::vector<std::string> variables = variables_;
    for (const std::string& usual :
         {"PILOTHOUSE_ADDRESS=" + folder_.Address(), std::string("TERM=xterm"), std::string("LC_ALL=C.UTF-8")}) {
      variables.push_back(usual);
    }
    return std::make_unique<ChildProcess>(command, variables, output);
  }

  // A line is split at its spaces.
  Result Run(const std::string& line) const { return End(Begin(line)); }
  Result Run(const std::vector<std::string>& words) const { return End(Begin(words)); }

  static Result End(const std::unique_ptr<ChildProcess>& child) {
    const int exit_code = child->Wait();
    return {exit_code, child->output(), child->errors()};
  }

  TestFolder folder_;
  // "NAME=value": the program's environment, besides or in place of what it gets otherwise.
  std::vector<std::string> variables_;
  FakeHouse house_;
  std::optional<FakeServer> server_{std::in_place, house_, folder_.Address()};
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_PROGRAM_FIXTURE_H_
