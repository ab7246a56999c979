// The classifiers that are compared, and what they learn from.
#ifndef PILOTHOUSE_TESTS_BENCH_CLASSIFIERS_H_
#define PILOTHOUSE_TESTS_BENCH_CLASSIFIERS_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/data/dataset.h"

namespace pilothouse::bench {

struct Classifier {
  // ReLU after all layers but the last.
  std::vector<int64_t> widths;
  int64_t batch_size = 0;
  int64_t examples = 0;

  // "64x128rx64rx10".
  std::string Shorthand() const {
    std::string text = absl::StrCat(widths.front());
    for (size_t i = 1; i < widths.size(); ++i) {
      absl::StrAppend(&text, "x", widths[i], i + 1 < widths.size() ? "r" : "");
    }
    return text;
  }

  // "64x128rx64rx10@32".
  std::string Subject() const { return absl::StrCat(Shorthand(), "@", batch_size); }
};

// Of no more examples than a processor's caches hold, so that it is computing that is compared. The Python partners
// (torch_partner.py) have as many.
inline std::vector<Classifier> Classifiers() {
  return {{{64, 128, 64, 10}, 32, 4096}, {{64, 128, 64, 10}, 256, 4096}, {{784, 1024, 1024, 10}, 128, 1024}};
}

// Inputs between −1 and 1 of no particular kind, and labels below `classes` that they say nothing about.
inline trainer::Dataset RandomExamples(int64_t examples, int64_t inputs, int64_t classes) {
  trainer::Dataset data{{examples, inputs, {}}, {examples, 1, {}}};
  for (int64_t i = 0; i < examples * inputs; ++i) {
    data.inputs.values.push_back(std::sin(1.7 * static_cast<double>(i % 100'003)));
  }
  for (int64_t i = 0; i < examples; ++i) {
    data.targets.values.push_back(static_cast<double>((i * 7919 + i / 13) % classes));
  }
  return data;
}

}  // namespace pilothouse::bench

#endif  // PILOTHOUSE_TESTS_BENCH_CLASSIFIERS_H_
