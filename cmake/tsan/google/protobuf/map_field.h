// With the thread sanitizer, Protobuf's MapFieldBase has two members more, in the middle. The distribution's library
// was compiled without it: its reflection, and so its text format, would take other members for those that it looks
// for. Found before Protobuf's own header in builds with that sanitizer, this gives the class the layout that the
// library has.
#ifndef PILOTHOUSE_CMAKE_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_
#define PILOTHOUSE_CMAKE_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_

#pragma GCC system_header
#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // PILOTHOUSE_CMAKE_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_
