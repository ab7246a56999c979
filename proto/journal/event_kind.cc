#include "proto/journal/event_kind.h"

namespace pilothouse {

v1::EventKind KindOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kLoss:
      return v1::EVENT_KIND_LOSS;
    case v1::Event::kStatus:
      return v1::EVENT_KIND_STATUS;
    case v1::Event::kControl:
      return v1::EVENT_KIND_CONTROL;
    case v1::Event::kState:
      return v1::EVENT_KIND_STATE;
    case v1::Event::kPlugin:
      return v1::EVENT_KIND_PLUGIN;
    case v1::Event::kCheckpoint:
      return v1::EVENT_KIND_CHECKPOINT;
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return v1::EVENT_KIND_UNSPECIFIED;
}

absl::string_view KindName(v1::EventKind kind) {
  switch (kind) {
    case v1::EVENT_KIND_LOSS:
      return "loss";
    case v1::EVENT_KIND_STATUS:
      return "status";
    case v1::EVENT_KIND_CONTROL:
      return "control";
    case v1::EVENT_KIND_STATE:
      return "state";
    case v1::EVENT_KIND_PLUGIN:
      return "plugin";
    case v1::EVENT_KIND_CHECKPOINT:
      return "checkpoint";
    default:
      return "";
  }
}

v1::EventKind KindOfName(absl::string_view name) {
  for (const v1::EventKind kind : EventKindSet::AllKinds()) {
    if (KindName(kind) == name) return kind;
  }
  return v1::EVENT_KIND_UNSPECIFIED;
}

const std::vector<v1::EventKind>& EventKindSet::AllKinds() {
  static const auto* const kinds =
      new std::vector<v1::EventKind>{v1::EVENT_KIND_LOSS,  v1::EVENT_KIND_STATUS, v1::EVENT_KIND_CONTROL,
                                     v1::EVENT_KIND_STATE, v1::EVENT_KIND_PLUGIN, v1::EVENT_KIND_CHECKPOINT};
  return *kinds;
}

EventKindSet EventKindSet::All() {
  EventKindSet all;
  for (const v1::EventKind kind : AllKinds()) all.Add(kind);
  return all;
}

}  // namespace pilothouse
