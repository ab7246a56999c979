// How good predictions are, besides their loss. For n examples:
//
//   accuracy            part of the examples whose class was predicted
//   balanced_accuracy   the same of each class's examples, and the mean of that over the classes that have any
//   roc_auc             of two classes: (R − p·(p + 1)/2) / (p·q), where p examples are of the second class, q of the
//                       first, and R is the sum of the ranks of the former among all by what speaks for the second;
//                       equals share their mean rank. How likely one of the second class ranks above one of the first
//   r2                  mean over outputs of 1 − Σ(y − ŷ)² / Σ(y − ȳ)²
//   mae                 mean of |y − ŷ| over all elements
//
// The class that is predicted is the first with the largest output (cross_entropy), or that on whose side of 0.5 the
// output is (binary_cross_entropy with one output; an example of several counts as right if all of them are). For
// roc_auc: Fawcett (2006), "An introduction to ROC analysis".
#ifndef PILOTHOUSE_TRAINER_LOOP_SCORER_H_
#define PILOTHOUSE_TRAINER_LOOP_SCORER_H_

#include <cstdint>
#include <vector>

#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {

// Adds up in the order in which examples come, in double. T is float or double. Not thread-safe.
template <typename T>
class Scorer {
 public:
  // For networks with so many outputs. REQUIRES: outputs >= 1.
  Scorer(LossFunction loss, int64_t outputs);

  // As the loss takes them: outputs of shape [rows, outputs], before the function that the loss has in it; targets of
  // shape [rows, 1] for cross_entropy, else [rows, outputs].
  void Add(ConstMatrixView<T> outputs, ConstMatrixView<T> targets);

  // Sets those scores that there are for the loss, of all examples since the last call. An output that is NaN is no
  // prediction: it is not right, and what is computed from it is NaN.
  void Finish(Validation& validation);

 private:
  struct Ranked {
    double score;
    bool second;
  };
  // Of one output, by Welford's recurrence.
  struct Spread {
    double mean = 0;
    double squares = 0;
    double errors = 0;
  };

  int64_t ClassOf(ConstMatrixView<T> targets, int64_t row) const;
  // −1: none.
  int64_t PredictedClass(ConstMatrixView<T> outputs, int64_t row) const;
  void AddClasses(ConstMatrixView<T> outputs, ConstMatrixView<T> targets);
  void AddSides(ConstMatrixView<T> outputs, ConstMatrixView<T> targets);
  void AddNumbers(ConstMatrixView<T> outputs, ConstMatrixView<T> targets);
  void FinishClasses(Validation& validation);
  void FinishNumbers(Validation& validation) const;
  // Unset where there is one class only.
  std::optional<double> RocAuc();

  const LossFunction loss_;
  const int64_t outputs_;
  // 0: the examples have no class, or several.
  const int64_t classes_;

  int64_t examples_ = 0;
  int64_t right_ = 0;
  // [classes]: examples of the class, and those of them that were predicted.
  std::vector<int64_t> count_;
  std::vector<int64_t> right_of_class_;
  // [classes][classes] if they are few enough: what was predicted for examples of a class.
  std::vector<int64_t> confusion_;
  std::vector<Ranked> ranked_;
  std::vector<Spread> spreads_;
  double absolute_errors_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SCORER_H_
