// What a keeper says of its run besides what happens to it.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/journal/journal_reader.h"
#include "service/runs/run_keeper.h"

namespace pilothouse::service {

void RunKeeper::NoteLoss(const std::string& loss) {
  if (std::find(losses_.begin(), losses_.end(), loss) == losses_.end()) losses_.push_back(loss);
}

bool RunKeeper::IsNewestEvent(v1::RunStatus status, const std::string& message) const {
  const uint64_t last = run().last_sequence();
  if (last == 0 || run().status() != status) return false;
  const absl::StatusOr<std::unique_ptr<JournalReader>> reader = JournalReader::Open(place_.journal_path());
  if (!reader.ok()) return false;
  const absl::StatusOr<JournalPage> page = (*reader)->ReadSequences({last});
  if (!page.ok() || page->events.size() != 1) return false;
  const v1::Event& newest = *page->events.front();
  return newest.has_status() && newest.status().status() == status && newest.status().message() == message;
}

std::string RunKeeper::WithLosses(std::string message) const {
  // What is several lines long ends with those of a log, which are not ours to go on with.
  const absl::string_view between = absl::StrContains(message, '\n') ? "\n" : " ";
  for (const std::string& loss : losses_) {
    if (!absl::StrContains(message, loss)) absl::StrAppend(&message, message.empty() ? "" : between, loss);
  }
  return message;
}

void RunKeeper::ShowLosses() {
  const std::string message = WithLosses(run().status_message());
  if (message == run().status_message()) return;
  record_.mutable_run().set_status_message(message);
  // Of a run that has ended, the next service knows no more than this.
  record_.Save();
}

void RunKeeper::ShowRestarts() {
  if (run().restarts() == restarts_.restarts()) return;
  record_.mutable_run().set_restarts(restarts_.restarts());
  record_.Show();
}

void RunKeeper::ShowBlocked() {
  unblocked_message_ = run().status_message();
  const std::string notice = absl::StrCat(
      record_.status().message(), " The trainer trains on, and what it has to report is recorded when the ",
      "journal can be written again; until then the run is shown where it was, and no change is made.");
  record_.mutable_run().set_status_message(WithLosses(notice));
  record_.Show();
}

void RunKeeper::HideBlocked() {
  if (!unblocked_message_.has_value()) return;
  record_.mutable_run().set_status_message(*std::exchange(unblocked_message_, std::nullopt));
  record_.Show();
}

}  // namespace pilothouse::service
