// Kinds of events as the journal stores them and watchers choose them. Pure and thread-safe.
#ifndef PILOTHOUSE_PROTO_JOURNAL_EVENT_KIND_H_
#define PILOTHOUSE_PROTO_JOURNAL_EVENT_KIND_H_

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/strings/string_view.h"
#include "pilothouse/v1/event.pb.h"

namespace pilothouse {

// EVENT_KIND_UNSPECIFIED for an event that says nothing.
v1::EventKind KindOf(const v1::Event& event);

// "loss", "status", "control", "state", "plugin", "checkpoint"; as in the journal's column `kind`. Empty for
// EVENT_KIND_UNSPECIFIED.
absl::string_view KindName(v1::EventKind kind);
// The kind of this name; EVENT_KIND_UNSPECIFIED if there is none.
v1::EventKind KindOfName(absl::string_view name);

// A set of kinds. A value.
class EventKindSet {
 public:
  constexpr EventKindSet() = default;
  EventKindSet(std::initializer_list<v1::EventKind> kinds) {
    for (v1::EventKind kind : kinds) Add(kind);
  }
  static EventKindSet All();
  // Each of them.
  static const std::vector<v1::EventKind>& AllKinds();

  // REQUIRES: v1::EventKind_IsValid(kind).
  void Add(v1::EventKind kind) { bits_ |= uint32_t{1} << kind; }
  void Remove(v1::EventKind kind) { bits_ &= ~(uint32_t{1} << kind); }
  bool empty() const { return bits_ == 0; }
  bool Contains(v1::EventKind kind) const { return (bits_ >> kind & 1) != 0; }

 private:
  uint32_t bits_ = 0;
};

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_JOURNAL_EVENT_KIND_H_
