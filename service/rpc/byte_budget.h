// How much the service keeps in memory of requests that are being answered.
#ifndef PILOTHOUSE_SERVICE_RPC_BYTE_BUDGET_H_
#define PILOTHOUSE_SERVICE_RPC_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace pilothouse::service {

// Bytes of all Predicts, StartRuns, AttachPlugins and ReadHistories together that are under way.
inline constexpr int64_t kMaxBytesUnderWay = 256 << 20;

// Thread-safe. Must outlive its tickets.
class ByteBudget {
 public:
  // Holds its bytes while any copy of it lives.
  using Ticket = std::shared_ptr<void>;

  explicit ByteBudget(int64_t limit = kMaxBytesUnderWay) : left_(limit) {}

  // Null when so many bytes are not left.
  Ticket Take(int64_t bytes) {
    if (left_.fetch_sub(bytes) < bytes) {
      left_.fetch_add(bytes);
      return nullptr;
    }
    return {this, [this, bytes](void*) { left_.fetch_add(bytes); }};
  }

 private:
  std::atomic<int64_t> left_;
};

}  // namespace pilothouse::service

#endif  // PILOTHOUSE_SERVICE_RPC_BYTE_BUDGET_H_
