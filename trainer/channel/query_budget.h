// How much may be under way in answering queries.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_QUERY_BUDGET_H_
#define PILOTHOUSE_TRAINER_CHANNEL_QUERY_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pilothouse::trainer {

// Queries that were accepted and whose answers were not sent yet; and the bytes that both take. A single query may take
// more.
inline constexpr size_t kMaxOpenQueries = 256;
inline constexpr int64_t kMaxOpenQueryBytes = 256 << 20;

// What a query holds until its answer is sent. The last copy to go gives the room back.
using QueryTicket = std::shared_ptr<const void>;

// Thread-safe. Tickets may outlive the budget.
class QueryBudget {
 public:
  QueryBudget();

  // nullptr when there is no room for one more query of so many bytes.
  QueryTicket Reserve(int64_t bytes);

 private:
  struct Use;
  const std::shared_ptr<Use> use_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_QUERY_BUDGET_H_
