// What the journal's tests share: a directory that is gone afterwards, and events to record.
#ifndef PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_TESTING_H_
#define PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_TESTING_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "service/journal/journal.h"

namespace pilothouse::service {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = testing::TempDir() + "/pilothouse-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Event `sequence`, at batch `sequence` and `sequence` milliseconds after 1970.
inline v1::Event BareEvent(uint64_t sequence) {
  v1::Event event;
  event.set_sequence(sequence);
  event.set_batch(static_cast<int64_t>(sequence));
  *event.mutable_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(static_cast<int64_t>(sequence));
  return event;
}

inline v1::Event LossEvent(uint64_t sequence, double loss, bool at_target = false) {
  v1::Event event = BareEvent(sequence);
  event.mutable_loss()->set_value(loss);
  event.mutable_loss()->set_at_target(at_target);
  return event;
}

inline v1::Event StatusEvent(uint64_t sequence, v1::RunStatus status) {
  v1::Event event = BareEvent(sequence);
  event.mutable_status()->set_status(status);
  return event;
}

inline v1::Event EtaEvent(uint64_t sequence, const std::string& request_id, double eta) {
  v1::Event event = BareEvent(sequence);
  v1::ControlReport& report = *event.mutable_control();
  report.mutable_change()->mutable_knob()->set_name("eta");
  report.mutable_change()->mutable_knob()->set_value(eta);
  report.set_request_id(request_id);
  report.set_origin("ana@lab");
  report.set_note("too fast");
  report.set_value(eta);
  report.set_previous_value(0.1);
  return event;
}

inline v1::Event StateEvent(uint64_t sequence, size_t bytes, bool asked) {
  v1::Event event = BareEvent(sequence);
  event.mutable_state()->mutable_state()->set_data(std::string(bytes, 'x'));
  event.mutable_state()->set_asked(asked);
  return event;
}

inline v1::Event PluginOutputEvent(uint64_t sequence, size_t bytes = 0) {
  v1::Event event = BareEvent(sequence);
  event.mutable_plugin()->set_plugin("held-out");
  event.mutable_plugin()->set_kind("validate");
  event.mutable_plugin()->mutable_output()->set_message(std::string(bytes, 'x'));
  return event;
}

inline v1::Event PluginFailureEvent(uint64_t sequence) {
  v1::Event event = BareEvent(sequence);
  event.mutable_plugin()->set_plugin("held-out");
  event.mutable_plugin()->set_kind("validate");
  event.mutable_plugin()->mutable_failure()->set_message("The loss is not a number.");
  return event;
}

// The control `change`, applied to the plugin "held-out".
inline v1::Event PluginControlEvent(uint64_t sequence, const std::string& request_id, const v1::Change& change) {
  v1::Event event = BareEvent(sequence);
  v1::ControlReport& report = *event.mutable_control();
  *report.mutable_change() = change;
  report.set_request_id(request_id);
  report.set_value(3);
  report.set_previous_value(2);
  report.set_plugin("held-out");
  return event;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline NewRun AnyRun() {
  NewRun run;
  run.run_id = "digits";
  run.start_request_id = "start-1";
  run.create_time = absl::FromUnixMillis(1'700'000'000'123);
  run.spec.set_seed(7);
  return run;
}

inline std::vector<uint64_t> SequencesOf(const std::vector<std::shared_ptr<const v1::Event>>& events) {
  std::vector<uint64_t> sequences;
  for (const auto& event : events) sequences.push_back(event->sequence());
  return sequences;
}

MATCHER_P(EqualsProto, expected, "") {
  google::protobuf::util::MessageDifferencer differencer;
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  const bool equal = differencer.Compare(expected, arg);
  *result_listener << difference;
  return equal;
}

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_JOURNAL_JOURNAL_TESTING_H_
