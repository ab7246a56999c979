#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_EVENTS_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_EVENTS_H_

#include "pilothouse/v1/event.pb.h"

namespace pilothouse::client {

// Whether an event is of one of the kinds asked for. None: all but STATE.
inline bool IsOneOf(const google::protobuf::RepeatedField<int>& kinds, const v1::Event& event) {
  if (kinds.empty()) return !event.has_state();
  for (const int kind : kinds) {
    if ((kind == v1::EVENT_KIND_LOSS && event.has_loss()) || (kind == v1::EVENT_KIND_STATUS && event.has_status()) ||
        (kind == v1::EVENT_KIND_CONTROL && event.has_control()) ||
        (kind == v1::EVENT_KIND_STATE && event.has_state()) || (kind == v1::EVENT_KIND_PLUGIN && event.has_plugin()) ||
        (kind == v1::EVENT_KIND_CHECKPOINT && event.has_checkpoint())) {
      return true;
    }
  }
  return false;
}

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_EVENTS_H_
