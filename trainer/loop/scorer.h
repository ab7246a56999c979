// How good predictions are, besides their loss. For examples of weights w > 0, without weights all 1, which count as if
// each were there w times:
//
//   accuracy            Σ w of the examples whose class was predicted / Σ w
//   balanced_accuracy   the same of each class's examples, and the mean of that over the classes that have any
//   roc_auc             of two classes: Σ w_i·w_j·[s_i > s_j] / (P·Q), over the examples i of the second class and j of
//                       the first, with [s_i = s_j] counting half; P and Q are the sums of their weights, and s what
//                       speaks for the second class. How likely one of the second class ranks above one of the first
//   r2                  mean over outputs of 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)², with ȳ = Σ w·y / Σ w
//   mae                 Σ w·|y − ŷ| over all elements / (outputs · Σ w)
//   confusion           Σ w of the examples of one class that were taken for another
//
// The class that is predicted is the first with the largest output (cross_entropy), or that on whose side of 0.5 the
// output is (binary_cross_entropy with one output; an example of several counts as right if all of them are). For
// roc_auc, which is the statistic of Mann and Whitney (1947) over the number of pairs: Fawcett (2006), "An introduction
// to ROC analysis". ȳ and the squares about it are added up as in West (1979), "Updating mean and variance estimates".
#ifndef PILOTHOUSE_TRAINER_LOOP_SCORER_H_
#define PILOTHOUSE_TRAINER_LOOP_SCORER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "trainer/net/matrix.h"
#include "trainer/net/network_spec.h"
#include "trainer/plugin/validation.h"

namespace pilothouse::trainer {

// What a Scorer of such a network finds beside the loss, as in ScoresOfValidations(), if the examples have it. Pure and
// thread-safe.
std::vector<std::string> ScoreNames(LossFunction loss, int64_t outputs);

// Adds up in the order in which examples come, in double. T is float or double. Not thread-safe.
template <typename T>
class Scorer {
 public:
  // For networks with so many outputs. REQUIRES: outputs >= 1.
  Scorer(LossFunction loss, int64_t outputs);

  // As the loss takes them: outputs of shape [rows, outputs], before the function that the loss has in it; targets of
  // shape [rows, 1] for cross_entropy, else [rows, outputs]; finite weights above 0 of shape [rows], or none.
  void Add(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights = {});

  // Sets those scores that there are for the loss, of all examples since the last call. An output that is NaN is no
  // prediction: it is not right, and what is computed from it is NaN.
  void Finish(Validation& validation);

 private:
  struct Ranked {
    double score;
    double weight;
    bool second;
  };
  // Of one output.
  struct Spread {
    double mean = 0;
    double squares = 0;
    double errors = 0;
  };

  int64_t ClassOf(ConstMatrixView<T> targets, int64_t row) const;
  // −1: none.
  int64_t PredictedClass(ConstMatrixView<T> outputs, int64_t row) const;
  void AddClasses(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights);
  void AddSides(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights);
  void AddNumbers(ConstMatrixView<T> outputs, ConstMatrixView<T> targets, absl::Span<const double> weights);
  void FinishClasses(Validation& validation);
  void FinishNumbers(Validation& validation) const;
  // Unset where there is one class only.
  std::optional<double> RocAuc();

  const LossFunction loss_;
  const int64_t outputs_;
  // 0: the examples have no class, or several.
  const int64_t classes_;

  // Sums of weights: of all examples, and of those that are right.
  double weight_ = 0;
  double right_ = 0;
  // [classes]: of the examples of the class, and of those of them that were predicted.
  std::vector<double> weight_of_class_;
  std::vector<double> right_of_class_;
  // [classes][classes] if they are few enough: of the examples of a class for which another was predicted.
  std::vector<double> confusion_;
  std::vector<Ranked> ranked_;
  std::vector<Spread> spreads_;
  double absolute_errors_ = 0;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_SCORER_H_
