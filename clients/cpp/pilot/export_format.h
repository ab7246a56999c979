// Events as lines of a file: see `pilot export --help`.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_

#include <optional>
#include <string>
#include <vector>

#include "clients/cpp/pilot/values.h"
#include "pilothouse/v1/event.pb.h"

namespace pilothouse::client {

// The kinds of events that a format is about: all, or what the observatory's log holds. Not empty. Thread-safe.
std::vector<v1::EventKind> KindsOf(ExportFormat format);

// The lines of one file, in any format but kTensorBoard. For one thread.
class ExportLines {
 public:
  explicit ExportLines(ExportFormat format) : format_(format) {}

  // What the file begins with, its end of line included; mostly nothing.
  std::string Header() const;
  // The next event as a line, ended; empty where the format has no place for it.
  std::string Next(const v1::Event& event);

 private:
  // A line of the observatory's log.
  std::string JsonsLine(const v1::Event& event);

  const ExportFormat format_;
  // The newest that a line of the observatory's log tells.
  std::optional<double> eta_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_EXPORT_FORMAT_H_
