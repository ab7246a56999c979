// Runs by lineage: forks below what they were forked from. Pure and thread-safe; all text is safe for a terminal (see
// Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_TREE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_TREE_H_

#include <string>
#include <vector>

#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

// A line of the tree.
struct TreeLine {
  enum class Kind {
    kRun,
    // What a rewind of the run left.
    kBranch,
    // A run that others were forked from and that the service does not know any more.
    kGone,
  };
  Kind kind = Kind::kRun;
  // Of the run; of a branch, the run's.
  std::string run_id;
  // Which of the runs, and which of its branches; −1 where there is none.
  int run = -1;
  int branch = -1;
  // 0: nothing is above it.
  int depth = 0;
  // The last of those right below the same line.
  bool last = false;
};

// From above to below. Every run is there once, whatever the runs say of their parents. Roots stand in the order of
// `runs`; of what is below one line, branches come first, then forks from the oldest on.
std::vector<TreeLine> MakeTree(const std::vector<v1::Run>& runs);

// Each line ended. `unicode`: with box characters; otherwise in ASCII.
std::string TreeText(const std::vector<v1::Run>& runs, bool unicode);
// {"runs": […]} in the tree's order, each run with its `depth`; one that is gone has only run_id, depth and gone.
std::string TreeJson(const std::vector<v1::Run>& runs);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_RUN_TREE_H_
