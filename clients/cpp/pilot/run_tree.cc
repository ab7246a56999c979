#include "clients/cpp/pilot/run_tree.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/pilot/describe.h"
#include "clients/cpp/pilot/lineage_output.h"
#include "clients/cpp/pilot/run_json.h"
#include "clients/cpp/pilot/text.h"

namespace pilothouse::client {
namespace {

// What forks were forked from: a run, and one of its branches or, empty, none that is known.
using Place = std::pair<std::string, std::string>;

class TreeMaker {
 public:
  explicit TreeMaker(const std::vector<v1::Run>& runs) : runs_(runs), placed_(runs.size(), false) {
    for (size_t i = 0; i < runs.size(); ++i) index_[runs[i].run_id()] = static_cast<int>(i);
    // From the oldest on; `runs` begins with the newest.
    for (int i = static_cast<int>(runs.size()) - 1; i >= 0; --i) {
      if (runs[i].has_parent()) forks_[PlaceOf(runs[i].parent())].push_back(i);
    }
  }

  std::vector<TreeLine> Make() {
    for (int i = 0; i < static_cast<int>(runs_.size()); ++i) {
      const std::string& parent = runs_[i].parent().run_id();
      if (!runs_[i].has_parent()) {
        Grow(RunLine(i));
      } else if (!index_.contains(parent) && !placed_[i]) {
        TreeLine gone;
        gone.kind = TreeLine::Kind::kGone;
        gone.run_id = parent;
        Grow(gone);
      }
    }
    // Runs that say they come from each other would be nowhere.
    for (int i = 0; i < static_cast<int>(runs_.size()); ++i) {
      if (!placed_[i]) Grow(RunLine(i));
    }
    return std::move(lines_);
  }

 private:
  static TreeLine RunLine(const v1::Run& run, int index) {
    TreeLine line;
    line.run_id = run.run_id();
    line.run = index;
    return line;
  }
  TreeLine RunLine(int index) const { return RunLine(runs_[index], index); }

  // A branch that the run does not have (any more) stands for the run.
  Place PlaceOf(const v1::Lineage& parent) const {
    const auto found = index_.find(parent.run_id());
    if (found == index_.end()) return {parent.run_id(), ""};
    const auto& branches = runs_[found->second].branches();
    const bool known = std::any_of(branches.begin(), branches.end(),
                                   [&parent](const v1::Branch& branch) { return branch.name() == parent.branch(); });
    return {parent.run_id(), known ? parent.branch() : ""};
  }

  // The line and all below it. With a stack of its own: a chain of forks may be long.
  void Grow(const TreeLine& root) {
    std::vector<TreeLine> waiting = {root};
    if (root.run >= 0) placed_[root.run] = true;
    while (!waiting.empty()) {
      const TreeLine line = waiting.back();
      waiting.pop_back();
      lines_.push_back(line);
      std::vector<TreeLine> below = Below(line);
      if (!below.empty()) below.back().last = true;
      waiting.insert(waiting.end(), below.rbegin(), below.rend());
    }
  }

  std::vector<TreeLine> Below(const TreeLine& line) {
    std::vector<TreeLine> below;
    if (line.kind == TreeLine::Kind::kRun) {
      for (int i = 0; i < runs_[line.run].branches_size(); ++i) {
        TreeLine branch = line;
        branch.kind = TreeLine::Kind::kBranch;
        branch.branch = i;
        below.push_back(branch);
      }
    }
    const std::string branch = line.kind == TreeLine::Kind::kBranch ? runs_[line.run].branches(line.branch).name() : "";
    for (const int fork : forks_[{line.run_id, branch}]) {
      if (placed_[fork]) continue;
      placed_[fork] = true;
      below.push_back(RunLine(fork));
    }
    for (TreeLine& child : below) {
      child.depth = line.depth + 1;
      child.last = false;
    }
    return below;
  }

  const std::vector<v1::Run>& runs_;
  std::map<std::string, int> index_;
  std::map<Place, std::vector<int>> forks_;
  std::vector<bool> placed_;
  std::vector<TreeLine> lines_;
};

// "│  ├─ ". `open`: of the lines above, by depth, whether more follow below them.
std::string Twigs(const TreeLine& line, const std::vector<bool>& open, bool unicode) {
  std::string twigs;
  for (int depth = 1; depth < line.depth; ++depth) {
    twigs += !open[depth] ? "   " : unicode ? "│  " : "|  ";
  }
  if (line.depth == 0) return twigs;
  return twigs + (line.last ? (unicode ? "└─ " : "`- ") : (unicode ? "├─ " : "|- "));
}

std::vector<std::string> Cells(const std::vector<v1::Run>& runs, const TreeLine& line, const std::string& twigs) {
  if (line.kind == TreeLine::Kind::kGone) return {twigs + Printable(line.run_id), "", "gone", "", "", "", ""};
  const v1::Run& run = runs[line.run];
  if (line.kind == TreeLine::Kind::kBranch) {
    const v1::Branch& branch = run.branches(line.branch);
    return {absl::StrCat(twigs, Printable(branch.name()), ": ", BatchRange(branch.from_batch(), branch.through_batch()),
                         ", kept"),
            "",
            "",
            "",
            "",
            "",
            ""};
  }
  return {twigs + Printable(run.run_id()),
          run.has_parent() ? FormatCount(run.parent().batch()) : "",
          StatusText(run.status(), run.idle_reason()),
          FormatCount(run.batch()),
          FormatCount(run.target()),
          FormatLoss(run.loss()),
          FormatNumber(run.eta())};
}

}  // namespace

std::vector<TreeLine> MakeTree(const std::vector<v1::Run>& runs) { return TreeMaker(runs).Make(); }

std::string TreeText(const std::vector<v1::Run>& runs, bool unicode) {
  std::vector<std::vector<std::string>> rows = {{"run", "from batch", "status", "batch", "target", "loss", "eta"}};
  std::vector<bool> open;
  for (const TreeLine& line : MakeTree(runs)) {
    open.resize(line.depth);
    rows.push_back(Cells(runs, line, Twigs(line, open, unicode)));
    open.push_back(!line.last);
  }
  return FormatTable(rows, {false, true, false, true, true, true, true}, "");
}

std::string TreeJson(const std::vector<v1::Run>& runs) {
  Json list = Json::array();
  for (const TreeLine& line : MakeTree(runs)) {
    // A run has its branches itself.
    if (line.kind == TreeLine::Kind::kBranch) continue;
    Json json = line.run >= 0 ? RunAsJson(runs[line.run]) : Json({{"run_id", line.run_id}});
    json["depth"] = line.depth;
    json["gone"] = line.run < 0;
    list.push_back(std::move(json));
  }
  return Dump({{"runs", std::move(list)}});
}

}  // namespace pilothouse::client
