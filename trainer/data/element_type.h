// The types of numbers in data, and how one of each is read.
#ifndef PILOTHOUSE_TRAINER_DATA_ELEMENT_TYPE_H_
#define PILOTHOUSE_TRAINER_DATA_ELEMENT_TYPE_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pilothouse::trainer {

enum class ElementType : uint8_t {
  kFloat32,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  // A byte: 0, or anything else for 1.
  kBool,
};

// The type of numbers that a network computes with: T is float or double.
template <typename T>
inline constexpr ElementType kElementTypeOf = std::is_same_v<T, float> ? ElementType::kFloat32 : ElementType::kFloat64;

struct BoolElement {
  uint8_t byte;
  explicit operator double() const { return byte == 0 ? 0 : 1; }
};

// Says its type to a function that is given no element.
template <typename T>
struct ElementTag {
  using Element = T;
};

// Calls visit(ElementTag<Element>()) for the element's type in memory: float for kFloat32, BoolElement for kBool.
template <typename Visit>
auto VisitElementType(ElementType type, Visit&& visit) {
  switch (type) {
    case ElementType::kFloat32:
      return visit(ElementTag<float>());
    case ElementType::kFloat64:
      return visit(ElementTag<double>());
    case ElementType::kInt8:
      return visit(ElementTag<int8_t>());
    case ElementType::kInt16:
      return visit(ElementTag<int16_t>());
    case ElementType::kInt32:
      return visit(ElementTag<int32_t>());
    case ElementType::kInt64:
      return visit(ElementTag<int64_t>());
    case ElementType::kUint8:
      return visit(ElementTag<uint8_t>());
    case ElementType::kUint16:
      return visit(ElementTag<uint16_t>());
    case ElementType::kUint32:
      return visit(ElementTag<uint32_t>());
    case ElementType::kUint64:
      return visit(ElementTag<uint64_t>());
    case ElementType::kBool:
      break;
  }
  return visit(ElementTag<BoolElement>());
}

inline int64_t BytesOf(ElementType type) {
  return VisitElementType(type, [](auto tag) { return static_cast<int64_t>(sizeof(typename decltype(tag)::Element)); });
}

// The element at `from`, which may have any alignment.
template <typename Element>
Element LoadElement(const char* from) {
  Element element;
  std::memcpy(&element, from, sizeof(element));
  return element;
}

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_ELEMENT_TYPE_H_
