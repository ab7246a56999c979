// How many uploads there may be at once, and who has to go when there are too many.
#ifndef PILOTHOUSE_SERVICE_RPC_UPLOAD_SLOTS_H_
#define PILOTHOUSE_SERVICE_RPC_UPLOAD_SLOTS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"

namespace pilothouse::service {

// Each upload has up to two open files, and half a dataset on the disk.
inline constexpr size_t kMaxUploads = 32;
// An upload from which nothing has come for so long gives way to a new one.
inline constexpr std::chrono::seconds kUploadIdleTime{30};

// Thread-safe. Its lock is held while an upload is told to end, so that it cannot go away meanwhile.
class UploadSlots {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using UploadId = const void*;

  // False when all slots are taken by uploads that are not idle. Otherwise the upload has a slot, and an idle one, if
  // its slot was needed, is told to end by its `end`.
  bool Enter(UploadId upload, std::function<void()> end, Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Something has come.
  void Touch(UploadId upload, Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // After this `end` is not called any more. Does nothing for an upload without a slot.
  void Leave(UploadId upload) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot {
    std::function<void()> end;
    Time last;
  };

  Mutex mutex_;
  std::map<UploadId, Slot> slots_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_UPLOAD_SLOTS_H_
