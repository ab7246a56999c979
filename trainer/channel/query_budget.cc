#include "trainer/channel/query_budget.h"

#include "absl/base/thread_annotations.h"
#include "proto/support/mutex.h"

namespace pilothouse::trainer {

struct QueryBudget::Use {
  Mutex mutex;
  size_t queries ABSL_GUARDED_BY(mutex) = 0;
  int64_t bytes ABSL_GUARDED_BY(mutex) = 0;
};

QueryBudget::QueryBudget() : use_(std::make_shared<Use>()) {}

QueryTicket QueryBudget::Reserve(int64_t bytes) {
  {
    MutexLock lock(use_->mutex);
    if (use_->queries >= kMaxOpenQueries) return nullptr;
    if (use_->queries > 0 && bytes > kMaxOpenQueryBytes - use_->bytes) return nullptr;
    ++use_->queries;
    use_->bytes += bytes;
  }
  return {use_.get(), [use = use_, bytes](const void*) {
            MutexLock lock(use->mutex);
            --use->queries;
            use->bytes -= bytes;
          }};
}

}  // namespace pilothouse::trainer
