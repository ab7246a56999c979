// How fast a table is read: a CSV file of 28 columns of numbers with six decimals, by ReadTable, by the plain way that
// it is compared with in tests (record by record, field by field), and its bytes alone, in turn in each iteration.
// Counters are medians over the iterations, in millions of bytes of the file per second, and their ratios; "beyond_MiB"
// is the most memory that reading took beside the result.
//
// The file has 4 MB, or as many as PILOTHOUSE_CSV_BENCH_MB says. With PILOTHOUSE_CSV_BENCH_FILE it is that file, which
// is made where there is none, and stays: csv_readers.py gives it to other readers as well.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/statistics.h"
#include "trainer/data/csv_record.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace pilothouse::bench {
namespace {

constexpr int kColumns = 28;
constexpr int64_t kDefaultMegabytes = 4;
constexpr size_t kBlockBytes = 1 << 20;

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Numbers as of measurements: normally distributed, six decimals.
void WriteTable(const std::string& path, int64_t bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), &std::fclose);
  if (file == nullptr) std::abort();
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  int64_t written = 0;
  for (int column = 0; column < kColumns; ++column) {
    written += std::fprintf(file.get(), "%smeasured %d", column == 0 ? "" : ",", column);
  }
  std::fputc('\n', file.get());
  while (written < bytes) {
    for (int column = 0; column < kColumns; ++column) {
      written += std::fprintf(file.get(), "%s%.6f", column == 0 ? "" : ",", normal(random));
    }
    std::fputc('\n', file.get());
    ++written;
  }
}

// The file that is read, for as long as the benchmark runs.
class Table {
 public:
  Table() {
    int64_t megabytes = kDefaultMegabytes;
    const std::string size = Environment("PILOTHOUSE_CSV_BENCH_MB");
    if (!size.empty() && (!absl::SimpleAtoi(size, &megabytes) || megabytes < 1)) {
      std::fprintf(stderr, "PILOTHOUSE_CSV_BENCH_MB must be a whole number of at least 1.\n");
      std::exit(2);
    }
    path_ = Environment("PILOTHOUSE_CSV_BENCH_FILE");
    stays_ = !path_.empty();
    if (!stays_) path_ = absl::StrCat(std::filesystem::temp_directory_path().string(), "/pilothouse-csv-", getpid());
    if (!std::filesystem::exists(path_)) WriteTable(path_, megabytes * 1'000'000);
    megabytes_ = static_cast<double>(std::filesystem::file_size(path_)) / 1e6;
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() {
    if (!stays_) std::filesystem::remove(path_);
  }

  const std::string& path() const { return path_; }
  double megabytes() const { return megabytes_; }

 private:
  std::string path_;
  bool stays_ = false;
  double megabytes_ = 0;
};

// In kB, as Linux tells it: "VmHWM", the most that was resident since it was forgotten, or "VmRSS".
int64_t StatusKilobytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == name + ":" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

void ForgetMostResident() { std::ofstream("/proc/self/clear_refs") << "5"; }

int64_t ReadBytes(const std::string& path) {
  auto file = trainer::InputFile::Open(path);
  std::vector<char> block(kBlockBytes);
  int64_t total = 0;
  for (int64_t got = 1; got > 0; total += got) got = *file->Read(block.data(), static_cast<int64_t>(block.size()));
  return total;
}

double ReadPlainly(const std::string& path) {
  auto file = trainer::InputFile::Open(path);
  trainer::CsvRecordReader reader(*file);
  absl::string_view record;
  double sum = 0;
  while (*reader.Next(',', record)) {
    trainer::CsvFields fields(record, ',');
    double value = 0;
    for (absl::string_view field; fields.Next(field);) {
      trainer::ParseNumber(field, value);
      sum += value;
    }
  }
  return sum;
}

void BM_ReadTable(benchmark::State& state) {
  const Table table;
  std::vector<double> ours;
  std::vector<double> beyond;
  for (auto _ : state) {
    ForgetMostResident();
    const int64_t before = StatusKilobytes("VmRSS");
    ours.push_back(SecondsOf([&] {
      const auto data = trainer::ReadTable(table.path(), {});
      if (!data.ok()) std::abort();
      const int64_t result = data->inputs.rows * data->inputs.stored->row_bytes;
      beyond.push_back(static_cast<double>(StatusKilobytes("VmHWM") - before) / 1024 -
                       static_cast<double>(result) / (1 << 20));
    }));
    state.SetIterationTime(ours.back());
  }
  state.counters["MB/s"] = table.megabytes() / Median(ours);
  state.counters["beyond_MiB"] = Median(beyond);
}
BENCHMARK(BM_ReadTable)->Unit(benchmark::kMillisecond)->UseManualTime();

void BM_WaysToRead(benchmark::State& state) {
  const Table table;
  std::vector<double> ours;
  std::vector<double> plain;
  std::vector<double> bytes;
  for (auto _ : state) {
    ours.push_back(SecondsOf([&] {
      if (!trainer::ReadTable(table.path(), {}).ok()) std::abort();
    }));
    plain.push_back(SecondsOf([&] { benchmark::DoNotOptimize(ReadPlainly(table.path())); }));
    bytes.push_back(SecondsOf([&] { benchmark::DoNotOptimize(ReadBytes(table.path())); }));
  }
  state.counters["MB/s"] = table.megabytes() / Median(ours);
  state.counters["plain_MB/s"] = table.megabytes() / Median(plain);
  state.counters["bytes_MB/s"] = table.megabytes() / Median(bytes);
  state.counters["ours/plain"] = Median(plain) / Median(ours);
}
BENCHMARK(BM_WaysToRead)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace pilothouse::bench
