#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/classifiers.h"
#include "tests/bench/contestant.h"
#include "tests/bench/multiply.h"

namespace pilothouse::bench {
namespace {

std::vector<float> Numbers(int64_t count) {
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(1.3F * static_cast<float>(i % 10'007));
  return numbers;
}

// The products of a learning step, and nothing else of it. For n examples and a layer with W [inputs, outputs]:
//
//   forward   y = x·W      [n, outputs]
//   backward  dW = xᵀ·dy   [inputs, outputs]
//             dx = dy·Wᵀ   [n, inputs], but for the first layer
class Products final : public Contestant {
 public:
  Products(const Classifier& classifier, Multiply* multiply)
      : multiply_(multiply), rows_(static_cast<int>(classifier.batch_size)) {
    for (size_t i = 0; i + 1 < classifier.widths.size(); ++i) {
      const int64_t inputs = classifier.widths[i];
      const int64_t outputs = classifier.widths[i + 1];
      layers_.push_back({static_cast<int>(inputs), static_cast<int>(outputs), Numbers(rows_ * inputs),
                         Numbers(inputs * outputs), Numbers(rows_ * outputs), Numbers(rows_ * inputs),
                         Numbers(inputs * outputs), Numbers(rows_ * outputs)});
    }
  }

  double Run(int64_t batches) override {
    for (int64_t batch = 0; batch < batches; ++batch) Step();
    return 0;
  }

 private:
  struct Layer {
    int inputs, outputs;
    std::vector<float> x, weights, y;
    std::vector<float> dx, dweights, dy;
  };

  void Step() {
    for (Layer& layer : layers_) {
      multiply_(kPlain, rows_, layer.outputs, layer.inputs, layer.x.data(), layer.weights.data(), layer.y.data());
    }
    for (size_t i = layers_.size(); i-- > 0;) {
      Layer& layer = layers_[i];
      multiply_(kLeftTransposed, layer.inputs, layer.outputs, rows_, layer.x.data(), layer.dy.data(),
                layer.dweights.data());
      if (i == 0) continue;
      multiply_(kRightTransposed, rows_, layer.inputs, layer.outputs, layer.dy.data(), layer.weights.data(),
                layer.dx.data());
    }
  }

  Multiply* const multiply_;
  const int rows_;
  std::vector<Layer> layers_;
};

// That it multiplies at all: what is measured should be products.
absl::Status Check(Multiply* multiply) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<float> b = {1, 0, 2, -1, 1, 3};
  std::vector<float> c(4);
  multiply(kPlain, 2, 2, 3, a.data(), b.data(), c.data());
  bool right = c == std::vector<float>{8, 7, 20, 13};
  multiply(kLeftTransposed, 2, 2, 3, a.data(), b.data(), c.data());
  right = right && c == std::vector<float>{12, 12, 16, 14};
  multiply(kRightTransposed, 2, 2, 3, a.data(), b.data(), c.data());
  right = right && c == std::vector<float>{7, 10, 16, 19};
  return right ? absl::OkStatus() : absl::InternalError("It does not multiply as it should.");
}

}  // namespace

std::vector<Entry> ProductEntries() {
  // Before a library is loaded, which looks at this once.
  for (const char* variable : {"OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"}) {
    setenv(variable, "1", 1);
  }
  const std::pair<const char*, absl::StatusOr<Multiply*> (*)()> libraries[] = {
      {"eigen", EigenMultiply}, {"openblas", OpenBlasMultiply}, {"blis", BlisMultiply}};
  std::vector<Entry> entries;
  for (const Classifier& classifier : Classifiers()) {
    for (const auto& [name, find] : libraries) {
      const auto make = [classifier, find = find]() -> absl::StatusOr<std::unique_ptr<Contestant>> {
        const absl::StatusOr<Multiply*> multiply = find();
        if (!multiply.ok()) return multiply.status();
        if (absl::Status status = Check(*multiply); !status.ok()) return status;
        return std::make_unique<Products>(classifier, *multiply);
      };
      entries.push_back({classifier.Subject() + "/products-" + name, make});
    }
  }
  return entries;
}

}  // namespace pilothouse::bench
