#include "trainer/checkpoint/saved_state.h"

#include <gtest/gtest.h>

#include <limits>

namespace pilothouse::trainer {
namespace {

template <typename T>
SavedTensor Tensor(std::vector<T> values, std::vector<int64_t> shape) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return TensorOf(owner->data(), std::move(shape), owner);
}

SavedState With(const std::string& name, SavedTensor tensor) {
  SavedState state;
  state.tensors[name] = std::move(tensor);
  return state;
}

TEST(SavedState, TheHashIsOfNamesTypesShapesAndBits) {
  const std::string hash = HashOfTensors(With("a", Tensor<float>({1, 2}, {2})));
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(hash, HashOfTensors(With("a", Tensor<float>({1, 2}, {2})))) << "wherever the elements lie";
  EXPECT_NE(hash, HashOfTensors(With("b", Tensor<float>({1, 2}, {2}))));
  EXPECT_NE(hash, HashOfTensors(With("a", Tensor<float>({1, 2}, {1, 2}))));
  EXPECT_NE(hash, HashOfTensors(With("a", Tensor<float>({2, 1}, {2}))));
  const SavedTensor floats = Tensor<float>({1, 2}, {2});
  SavedTensor bytes = TensorOf(std::string(floats.bytes));
  bytes.shape = {2};
  EXPECT_NE(hash, HashOfTensors(With("a", bytes))) << "the same bytes as another type";
  EXPECT_NE(HashOfTensors(With("a", Tensor<double>({0.0}, {1}))),
            HashOfTensors(With("a", Tensor<double>({-0.0}, {1}))));
}

TEST(SavedState, TheHashIsTheOneThatIsDescribed) {
  // Computed with Python: hashlib.sha256 of struct.pack("<Q1sQQQ3s", 1, b"a", 1, 1, 3, b"xyz").
  EXPECT_EQ(HashOfTensors(With("a", TensorOf("xyz"))),
            "4a7c33258abd1e4b450a686f0d05f6f6b87c8637e469c23cc0f9caa92e1c3f35");
}

TEST(SavedState, TheHashTakesNoAccountOfTexts) {
  SavedState state = With("a", TensorOf("xyz"));
  const std::string hash = HashOfTensors(state);
  state.texts["loop"] = "{}";
  EXPECT_EQ(HashOfTensors(state), hash);
}

TEST(SavedState, NotANumberHasAHashToo) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(HashOfTensors(With("a", Tensor<double>({nan}, {1}))), HashOfTensors(With("a", Tensor<double>({nan}, {1}))));
}

TEST(SavedState, ATensorIsFoundByNameTypeAndShape) {
  const SavedState state = With("a", Tensor<float>({1, 2}, {1, 2}));
  EXPECT_NE(FindTensor(state, "a", TensorType::kFloat32, {1, 2}), nullptr);
  EXPECT_EQ(FindTensor(state, "b", TensorType::kFloat32, {1, 2}), nullptr);
  EXPECT_EQ(FindTensor(state, "a", TensorType::kFloat64, {1, 2}), nullptr);
  EXPECT_EQ(FindTensor(state, "a", TensorType::kFloat32, {2}), nullptr);
}

}  // namespace
}  // namespace pilothouse::trainer
