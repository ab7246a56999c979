#include "trainer/checkpoint/checkpoint_store.h"

#include <sched.h>

#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/mutex.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/checkpoint/file_content.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/checkpoint/sha256.h"

namespace pilothouse::trainer {

class CheckpointStore::Writer {
 public:
  Writer(CheckpointFolder folder, Done done) : folder_(std::move(folder)), done_(std::move(done)) {
    thread_ = std::thread([this] { WorkOn(); });
  }

  ~Writer() {
    {
      const MutexLock lock(mutex_);
      ending_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }

  bool Submit(CheckpointRequest request) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    if (waiting_.size() >= kMaxWaitingCheckpoints) return false;
    waiting_.push_back(std::move(request));
    changed_.NotifyAll();
    return true;
  }

  bool CanTake() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    return waiting_.size() < kMaxWaitingCheckpoints;
  }

  CheckpointOutcome WriteNow(const CheckpointRequest& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      while (busy_ || !waiting_.empty()) changed_.Wait(mutex_);
      busy_ = true;
    }
    CheckpointOutcome outcome = folder_.Write(request);
    folder_.Tidy();
    Rest();
    return outcome;
  }

  void Recorded(int64_t count, int64_t announced) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    recorded_ = count;
    announced_ = announced;
    changed_.NotifyAll();
  }

 private:
  struct Work {
    std::optional<CheckpointRequest> request;
    int64_t recorded = 0;
    int64_t announced = 0;
  };

  void WorkOn() ABSL_LOCKS_EXCLUDED(mutex_) {
    // So that waking it, where no core is free, does not take the training thread's away. Its helpers inherit that.
    const sched_param none = {};
    sched_setscheduler(0, SCHED_BATCH, &none);
    while (std::optional<Work> work = Next()) {
      // First what is recorded, so that there is room; what the next one replaces, once that has been told.
      folder_.Recorded(work->recorded, work->announced);
      folder_.Tidy();
      if (work->request.has_value()) {
        CheckpointOutcome outcome = folder_.Write(*work->request);
        // Its copy of the state goes before Done is told, so that the next one may take its place.
        work->request.reset();
        done_(std::move(outcome));
        folder_.Tidy();
      }
      Rest();
    }
  }

  // nullopt when there is nothing more to do. Waits, and sets busy_.
  std::optional<Work> Next() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    while (!ending_ && (busy_ || (waiting_.empty() && recorded_ == counted_))) changed_.Wait(mutex_);
    if (ending_) return std::nullopt;
    busy_ = true;
    counted_ = recorded_;
    Work work;
    work.recorded = recorded_;
    work.announced = announced_;
    if (!waiting_.empty()) {
      work.request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    return work;
  }

  void Rest() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    busy_ = false;
    changed_.NotifyAll();
  }

  // For whoever has set busy_.
  CheckpointFolder folder_;
  const Done done_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<CheckpointRequest> waiting_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // How many are recorded, and how many the folder knows to be.
  int64_t recorded_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t counted_ ABSL_GUARDED_BY(mutex_) = 0;
  // Taken over with the next work: it keeps what would be removed, and removes nothing.
  int64_t announced_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

CheckpointStore::CheckpointStore(std::string run_directory, CheckpointRetention retention,
                                 std::vector<RecordedCheckpoint> recorded, Done done)
    : writer_(std::make_unique<Writer>(CheckpointFolder(std::move(run_directory), retention, std::move(recorded)),
                                       std::move(done))) {}

CheckpointStore::~CheckpointStore() = default;

bool CheckpointStore::Submit(CheckpointRequest request) { return writer_->Submit(std::move(request)); }

bool CheckpointStore::CanTake() const { return writer_->CanTake(); }

CheckpointOutcome CheckpointStore::WriteNow(const CheckpointRequest& request) { return writer_->WriteNow(request); }

void CheckpointStore::Recorded(int64_t count, int64_t announced) { writer_->Recorded(count, announced); }

absl::StatusOr<SavedState> ReadCheckpoint(const std::string& path, const std::string& sha256) {
  const auto refuse = [&](absl::string_view cause) {
    return MakeError(v1::ERROR_REASON_CHECKPOINT_DAMAGED, "",
                     absl::StrCat("The checkpoint ", path, " cannot be used: ", cause),
                     {{"file", path}, {"cause", std::string(cause)}});
  };
  const absl::StatusOr<FileContent> content = ReadFileContent(path);
  // It may be as it was written, for all that is known.
  if (!content.ok()) return content.status();
  if (!sha256.empty()) {
    Sha256 hash;
    hash.Add(content->bytes);
    if (hash.Finish() != sha256) return refuse("its content is not what was written.");
  }
  absl::StatusOr<SavedState> state = ParseSafetensors(*content);
  if (!state.ok()) return refuse(state.status().message());
  return state;
}

}  // namespace pilothouse::trainer
