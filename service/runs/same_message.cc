#include "service/runs/same_message.h"

#include <string>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace pilothouse::service {
namespace {

// The bytes in which a message is written when maps are written in the order of their keys. Comparing by reflection
// would do as well, but there a distribution's Protobuf and the thread sanitizer disagree about what a map looks like.
std::string Canonical(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

bool SameMessage(const google::protobuf::MessageLite& a, const google::protobuf::MessageLite& b) {
  return Canonical(a) == Canonical(b);
}

}  // namespace pilothouse::service
