// Names for what plugins ask for: the same again when a run that goes on comes to the same decision.
#ifndef PILOTHOUSE_TRAINER_LOOP_WISH_NAMES_H_
#define PILOTHOUSE_TRAINER_LOOP_WISH_NAMES_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trainer/checkpoint/saved_state.h"

namespace pilothouse::trainer {

// Not thread-safe.
class WishNames final : public Stateful {
 public:
  // "plugin-NAME-BATCH-K" for the K-th thing that a plugin asks for at a batch.
  std::string Next(const std::string& plugin, int64_t batch);
  // The request_id of what is asked for by this name on a line: "plugin-NAME-BATCH-K", and where the run was taken back
  // before, which makes it come to the same batch again, "plugin-NAME-BATCH-K-line-LINE".
  static std::string OnLine(const std::string& name, int64_t line);
  // Whether a request_id is that of the name, on whatever line.
  static bool IsOf(absl::string_view request_id, absl::string_view name);

  void Save(SavedState& state) const override;
  absl::Status Restore(const SavedState& state) override;

 private:
  int64_t batch_ = 0;
  // How much each plugin has asked for at that batch.
  std::map<std::string, int64_t> asked_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_LOOP_WISH_NAMES_H_
