// Events as lines of a file: see `pilot export --help`. Pure and thread-safe.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_

#include <string>
#include <vector>

#include "clients/cpp/pilot/values.h"
#include "pilothouse/v1/event.pb.h"

namespace pilothouse::client {

// The kinds of events that a format is about: all, or what the observatory's log holds. Not empty.
std::vector<v1::EventKind> KindsOf(ExportFormat format);

// What a file begins with, its end of line included; mostly nothing. Not of kTensorBoard.
std::string ExportHeader(ExportFormat format);
// An event as a line, ended; empty where the format has no place for it. Not of kTensorBoard.
std::string ExportLine(ExportFormat format, const v1::Event& event);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_
