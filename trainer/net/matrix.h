// The matrix types of the engine: row-major, one example a row. Storage is aligned for any vector instruction, so that
// the order in which Eigen sums never depends on where memory happens to lie.
#ifndef PILOTHOUSE_TRAINER_NET_MATRIX_H_
#define PILOTHOUSE_TRAINER_NET_MATRIX_H_

#include <Eigen/Core>

namespace pilothouse::trainer {

template <typename T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename T>
using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

// Views: they own nothing and are passed by value.
template <typename T>
using MatrixView = Eigen::Map<Matrix<T>>;
template <typename T>
using ConstMatrixView = Eigen::Map<const Matrix<T>>;
// One value for each column.
template <typename T>
using RowView = Eigen::Map<Eigen::Matrix<T, 1, Eigen::Dynamic>>;
template <typename T>
using ConstRowView = Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>;

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_NET_MATRIX_H_
