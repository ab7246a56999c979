// A feed-forward network: outputs forward, gradients backward. For n examples, and a loss whose gradient with respect
// to the outputs is known:
//
//   affine    forward   y = x·W + 1·bᵀ      x [n, inputs], W [inputs, outputs], b [outputs], y [n, outputs]
//             backward  dW = xᵀ·dy, db = Σ_rows dy, dx = dy·Wᵀ
//   activation          see activation.h
//   layer norm          see layer_norm.h
//
// All parameters are one vector, the state vector: stage by stage, W row-major (of a layer norm: the gains), then b.
// The gradient has the same layout.
//
//   Network<double> network(MakePlan(spec, loss), rows);
//   const auto outputs = network.Forward(parameters, inputs);
//   const double value = LossAndGradient<double>(loss, outputs, targets, network.OutputGradient());
//   network.Backward(parameters, inputs, gradient);
#ifndef PILOTHOUSE_TRAINER_NET_NETWORK_H_
#define PILOTHOUSE_TRAINER_NET_NETWORK_H_

#include <cstdint>
#include <vector>

#include "trainer/net/matrix.h"
#include "trainer/net/network_plan.h"

namespace pilothouse::trainer {

// T is float or double. Holds buffers for the results of all stages, so that nothing is allocated per call; not
// thread-safe. The parameters belong to the caller.
template <typename T>
class Network {
 public:
  // `max_rows` is the most examples that are given at once.
  Network(NetworkPlan plan, int64_t max_rows);

  // The outputs, of shape [n, plan().outputs], for `inputs` of shape [n, plan().inputs]: logits where the plan has a
  // prediction activation. They lie in this object and stay valid until the next call.
  // REQUIRES: 1 <= n <= max_rows; parameters.size() == plan().parameters.
  ConstMatrixView<T> Forward(const Vector<T>& parameters, ConstMatrixView<T> inputs);

  // Where the gradient of the loss with respect to the outputs of the last Forward() is to be put: [n, plan().outputs].
  MatrixView<T> OutputGradient();

  // Sets `gradient` to that of the loss with respect to the parameters. Uses up OutputGradient().
  // REQUIRES: Forward() was called last with the same parameters and inputs; gradient.size() == parameters.size().
  void Backward(const Vector<T>& parameters, ConstMatrixView<T> inputs, Vector<T>& gradient);

  // Forward(), and the prediction activation where there is one: probabilities.
  ConstMatrixView<T> Predict(const Vector<T>& parameters, ConstMatrixView<T> inputs);

  // What stage `stage` of the plan gave in the last Forward(): [n, outputs of the stage], n being 0 before any. Valid
  // until the next call; of a Predict(), the last stage's are the predictions.
  ConstMatrixView<T> StageResult(size_t stage) const;

  const NetworkPlan& plan() const { return plan_; }

 private:
  // Results of stage i for the current rows.
  MatrixView<T> Result(size_t stage);

  NetworkPlan plan_;
  int64_t rows_ = 0;
  // results_[i]: [max_rows, stages[i].outputs].
  std::vector<Matrix<T>> results_;
  // Gradients with respect to the results of a stage; an affine stage reads the one and writes the other. Each has
  // max_rows times the largest width.
  Vector<T> delta_;
  Vector<T> next_delta_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_NETWORK_H_
