// A feed-forward network: outputs forward, gradients backward. For n examples, and a loss whose gradient with respect
// to the outputs is known:
//
//   affine              see affine.h
//   activation          see activation.h
//   layer norm          see layer_norm.h
//   dropout             see dropout.h; outside training y = x
//   batch norm          see batch_norm.h
//
// All parameters are one vector, the state vector: stage by stage, W row-major (of a norm: the gains), then b.
// The gradient has the same layout.
//
//   Network<double> network(MakePlan(spec, loss), rows, {.seed = seed});
//   const auto outputs = network.Forward(parameters, inputs, batch);
//   const double value = LossAndGradient<double>(loss, outputs, targets, network.OutputGradient());
//   network.Backward(parameters, inputs, gradient);
//   network.UpdateStatistics(statistics);
#ifndef PILOTHOUSE_TRAINER_NET_NETWORK_H_
#define PILOTHOUSE_TRAINER_NET_NETWORK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/kernels/parallel_product.h"
#include "trainer/kernels/thread_team.h"
#include "trainer/net/affine.h"
#include "trainer/net/batch_norm.h"
#include "trainer/net/learnt.h"
#include "trainer/net/matrix.h"
#include "trainer/net/network_plan.h"
#include "trainer/net/random.h"
#include "trainer/net/small_path.h"

namespace pilothouse::trainer {

// What a stage keeps of a pass besides its results.
template <typename T>
struct StageMemory {
  // Of dropout, in training: what the elements were multiplied by, shaped as the results.
  Matrix<T> factors;
  // Of a batch norm.
  FeatureStatistics features;
};

// No bit of what a network computes depends on `threads` or `through_stages`.
struct NetworkOptions {
  // What dropout drops is drawn from it.
  uint64_t seed = 0;
  // Computes large products. Null: the calling thread alone. It must outlive the network.
  ThreadTeam* threads = nullptr;
  // Whether small networks, too, are gone through stage by stage: the reference for tests.
  bool through_stages = false;
};

// T is float or double. Holds buffers for the results of all stages, so that nothing is allocated per call; not
// thread-safe. The parameters belong to the caller.
template <typename T>
class Network {
 public:
  // `max_rows` is the most examples that are given at once.
  Network(NetworkPlan plan, int64_t max_rows, const NetworkOptions& options = {});

  // Training: the outputs, of shape [n, plan().outputs], of learning step number `batch` for `inputs` of shape
  // [n, plan().inputs]: logits where the plan has a prediction activation. They lie in this object and stay valid until
  // the next call. The same arguments give the same bits, whatever came before.
  // REQUIRES: 1 <= n <= max_rows, and n >= 2 where there are batch norms; parameters.size() == plan().parameters;
  // 1 <= batch <= kMaxTarget.
  ConstMatrixView<T> Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs, int64_t batch);

  // The same outside training: an example's outputs do not depend on the others. REQUIRES: 1 <= n <= max_rows; the
  // sizes in `learnt` are those of plan().
  ConstMatrixView<T> Evaluate(const Learnt<T>& learnt, ConstMatrixView<T> inputs);

  // Where the gradient of the loss with respect to the outputs of the last Forward() or Evaluate() is to be put: [n,
  // plan().outputs].
  MatrixView<T> OutputGradient();

  // Sets `gradient` to that of the loss with respect to the parameters. Uses up OutputGradient().
  // REQUIRES: Forward(), not Evaluate(), was called last with the same parameters and inputs; gradient.size() ==
  // parameters.size().
  void Backward(const Vector<T>& parameters, ConstMatrixView<T> inputs, Vector<T>& gradient);

  // The same, and moves the parameters down the gradient while its parts are at hand: θ ← θ − step·g, with the bits
  // that come of doing it afterwards.
  void BackwardAndDescend(Vector<T>& parameters, ConstMatrixView<T> inputs, T step, Vector<T>& gradient);

  // Moves the running statistics towards those of the batch. REQUIRES: Forward() was the last pass;
  // statistics.size() == plan().statistics.
  void UpdateStatistics(Vector<T>& statistics) const;

  // Evaluate(), and the prediction activation where there is one: probabilities.
  ConstMatrixView<T> Predict(const Learnt<T>& learnt, ConstMatrixView<T> inputs);

  // What stage `stage` of the plan gave in the last pass: [n, outputs of the stage], n being 0 before any. Valid
  // until the next call; of a Predict(), the last stage's are the predictions.
  ConstMatrixView<T> StageResult(size_t stage) const;

  const NetworkPlan& plan() const { return plan_; }

 private:
  // Through all stages. Of the last two one is null: training draws, and otherwise there are running statistics.
  ConstMatrixView<T> Pass(const Vector<T>& parameters, ConstMatrixView<T> inputs, const RandomStream* random,
                          const Vector<T>* statistics);
  // Backward(). Where `descended` is not null it is `parameters`, and is moved down.
  void Backward(const Vector<T>& parameters, ConstMatrixView<T> inputs, Vector<T>& gradient, T* descended, T step);
  // Through one stage: sets its part of `gradient`, and turns delta_ into the gradient with respect to `x`, for an
  // affine step only where that is asked for.
  void StageBackward(size_t stage, const Vector<T>& parameters, ConstMatrixView<T> x, bool input_gradient,
                     Vector<T>& gradient, T* descended, T step);
  // Results of stage i for the current rows.
  MatrixView<T> Result(size_t stage);

  NetworkPlan plan_;
  uint64_t seed_;
  Multiplier<T> multiplier_;
  // Unset where the network is not small.
  std::optional<SmallPath<T>> small_;
  // Whether the last pass was Forward() by it.
  bool small_was_last_ = false;
  int64_t rows_ = 0;
  // results_[i]: [max_rows, stages[i].outputs]. A small path keeps its own, which are copied when they are asked for.
  mutable std::vector<Matrix<T>> results_;
  // memories_[i]: of stage i; empty where it needs none.
  std::vector<StageMemory<T>> memories_;
  // Gradients with respect to the results of a stage; an affine stage reads the one and writes the other. Each has
  // max_rows times the largest width.
  Vector<T> delta_;
  Vector<T> next_delta_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NETWORK_H_
