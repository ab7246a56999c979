// Whether two messages say the same. Pure and thread-safe.
#ifndef PILOTHOUSE_SERVICE_RUNS_SAME_MESSAGE_H_
#define PILOTHOUSE_SERVICE_RUNS_SAME_MESSAGE_H_

#include "google/protobuf/message_lite.h"

namespace pilothouse::service {

// Field by field, maps whatever their order, numbers by their bits (so that NaN is the same as NaN). REQUIRES: both are
// of one type.
bool SameMessage(const google::protobuf::MessageLite& a, const google::protobuf::MessageLite& b);

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RUNS_SAME_MESSAGE_H_
