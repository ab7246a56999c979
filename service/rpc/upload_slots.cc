#include "service/rpc/upload_slots.h"

#include <algorithm>
#include <utility>

namespace pilothouse::service {

bool UploadSlots::Enter(UploadId upload, std::function<void()> end, Time now) {
  MutexLock lock(mutex_);
  if (slots_.size() >= kMaxUploads) {
    const auto oldest = std::min_element(slots_.begin(), slots_.end(),
                                         [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
    if (now - oldest->second.last < kUploadIdleTime) return false;
    oldest->second.end();
    slots_.erase(oldest);
  }
  slots_[upload] = {std::move(end), now};
  return true;
}

void UploadSlots::Touch(UploadId upload, Time now) {
  MutexLock lock(mutex_);
  if (const auto slot = slots_.find(upload); slot != slots_.end()) slot->second.last = now;
}

void UploadSlots::Leave(UploadId upload) {
  MutexLock lock(mutex_);
  slots_.erase(upload);
}

}  // namespace pilothouse::service
