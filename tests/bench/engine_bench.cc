// Partners in the comparison that tests/bench/compare.py makes: the engine, and what is written in C++ beside it.
//
//   engine_bench NAME SECONDS   takes part as NAME: says "ready" and the loss of batch 20, or "absent" and why; then
//                               answers each line with the seconds that a batch took, measured for SECONDS, in the
//                               processor's time: what other programs have it do does not count
//   engine_bench                everyone in turn, each for a moment: to see that all of it works
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tests/bench/contestant.h"

namespace pilothouse::bench {
namespace {

// The batch whose losses are compared.
constexpr int64_t kCompared = 20;
constexpr double kMoment = 0.01;
// Between a loop and what it calls there may be as much difference as sums in another order make.
constexpr double kTolerance = 1e-9;

std::vector<Entry> AllEntries() {
  std::vector<Entry> entries = XorEntries();
  for (auto* more : {ClassifierEntries, ProductEntries}) {
    for (Entry& entry : more()) entries.push_back(std::move(entry));
  }
  return entries;
}

// Of this process, all threads.
double ProcessorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double SecondsOf(Contestant& contestant, int64_t batches) {
  const double begin = ProcessorSeconds();
  contestant.Run(batches);
  return ProcessorSeconds() - begin;
}

// How many batches take at least `seconds`.
int64_t BatchesIn(Contestant& contestant, double seconds) {
  int64_t batches = 1;
  for (;;) {
    const double taken = SecondsOf(contestant, batches);
    if (taken >= seconds) return batches;
    // Not more than tenfold: the first batches may be slower than what follows.
    const double growth = taken > 0 ? 1.2 * seconds / taken : 10;
    batches = static_cast<int64_t>(std::ceil(static_cast<double>(batches) * std::min(growth, 10.0)));
  }
}

int TakePart(const Entry& entry, double seconds) {
  absl::StatusOr<std::unique_ptr<Contestant>> contestant = entry.make();
  if (!contestant.ok()) {
    std::cout << "absent " << contestant.status().message() << std::endl;
    return EXIT_SUCCESS;
  }
  std::cout << "ready " << std::setprecision(17) << (*contestant)->Run(kCompared) << std::endl;
  const int64_t batches = BatchesIn(**contestant, seconds);
  for (std::string line; std::getline(std::cin, line);) {
    const double taken = SecondsOf(**contestant, batches);
    std::cout << taken / static_cast<double>(batches) << std::endl;
  }
  return EXIT_SUCCESS;
}

int TryEveryone() {
  std::map<std::string, double> losses;
  for (const Entry& entry : AllEntries()) {
    std::cout << std::left << std::setw(42) << entry.name;
    absl::StatusOr<std::unique_ptr<Contestant>> contestant = entry.make();
    if (absl::IsNotFound(contestant.status())) {
      std::cout << "absent: " << contestant.status().message() << "\n";
      continue;
    }
    if (!contestant.ok()) {
      std::cerr << contestant.status() << "\n";
      return EXIT_FAILURE;
    }
    const double loss = (*contestant)->Run(kCompared);
    const std::vector<std::string> parts = absl::StrSplit(entry.name, '/');
    if (loss != 0 && std::abs(loss - losses.try_emplace(parts[0], loss).first->second) > kTolerance * loss) {
      std::cerr << "Its loss, " << loss << ", is not that of the others, " << losses[parts[0]] << "\n";
      return EXIT_FAILURE;
    }
    const int64_t batches = BatchesIn(**contestant, kMoment);
    const double taken = SecondsOf(**contestant, batches);
    std::cout << std::setprecision(3) << 1e6 * taken / static_cast<double>(batches) << " µs a batch\n";
  }
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  double seconds = 0;
  // Whatever else it is called with is meant for benchmarks of another kind.
  if (argc != 3 || !absl::SimpleAtod(argv[2], &seconds)) return TryEveryone();
  for (const Entry& entry : AllEntries()) {
    if (entry.name == argv[1]) return TakePart(entry, seconds);
  }
  std::cerr << "engine_bench: nobody is called " << argv[1] << "\n";
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace pilothouse::bench

int main(int argc, char** argv) { return pilothouse::bench::Main(argc, argv); }
