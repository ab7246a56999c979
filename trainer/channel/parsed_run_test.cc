// Runs of one service, on a table that is large enough for a parsed copy.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/channel/parsed_folder.h"
#include "trainer/channel/run_spec.h"

namespace pilothouse::trainer {
namespace {

// 99 inputs of one digit and a target, and so many rows that batches gather theirs from a mapped copy's.
std::string LargeTable() {
  std::string table;
  for (int row = 0; row < 45'000; ++row) {
    for (int column = 0; column < 99; ++column) table += {static_cast<char>('0' + row * (column + 7) % 10), ','};
    absl::StrAppend(&table, row % 3, "\n");
  }
  return table;
}

std::vector<double> LossesOf(BuiltRun& run) {
  std::vector<double> losses;
  for (int64_t batch = 1; batch <= 100; ++batch) losses.push_back(run.learner->Step(batch, run.loop.knobs.update));
  return losses;
}

bool HasMapped(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  const std::string all{std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>()};
  return all.find(path) != std::string::npos;
}

class ParsedRunTest : public testing::Test {
 protected:
  ParsedRunTest() {
    std::string pattern = testing::TempDir() + "/pilothouse-parsed-XXXXXX";
    root_ = mkdtemp(pattern.data());
    std::ofstream(root_ + "/large.csv") << LargeTable();
  }
  ~ParsedRunTest() override { std::filesystem::remove_all(root_); }

  absl::StatusOr<BuiltRun> Build(const std::string& directory) const {
    v1::Welcome welcome;
    welcome.set_directory(absl::StrCat(root_, "/", directory));
    std::filesystem::create_directories(welcome.directory());
    welcome.set_table_path(root_ + "/large.csv");
    v1::RunSpec& spec = *welcome.mutable_spec();
    spec.mutable_network()->set_shorthand("99x4tx1");
    spec.mutable_data()->set_file("large.csv");
    spec.mutable_data()->set_standardize(true);
    spec.set_loss(v1::LOSS_FUNCTION_HALF_MSE);
    spec.set_precision(v1::PRECISION_FLOAT64);
    return BuildRun(welcome, nullptr);
  }

  std::string root_;
};

TEST_F(ParsedRunTest, RunsOfOneServiceShareATablesNumbersAndLearnWhatEachWouldLearnFromItsOwn) {
  if (std::filesystem::space(root_).available < 2 * kLeastFreeBytes) GTEST_SKIP() << "no room for a copy";
  std::vector<double> expected;
  {
    // A run that is not a service's keeps its numbers to itself.
    absl::StatusOr<BuiltRun> alone = Build("others/first");
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_FALSE(std::filesystem::exists(root_ + "/parsed"));
    expected = LossesOf(*alone);
  }
  for (const char* directory : {"runs/first", "runs/second"}) {
    absl::StatusOr<BuiltRun> run = Build(directory);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_TRUE(HasMapped(absl::StrCat("/parsed/", run->data_sha256, "-csv-1.npy"))) << directory;
    EXPECT_EQ(LossesOf(*run), expected) << directory;
  }
}

}  // namespace
}  // namespace pilothouse::trainer
