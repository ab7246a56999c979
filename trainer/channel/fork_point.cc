#include "trainer/channel/fork_point.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "trainer/channel/plugin_messages.h"
#include "trainer/channel/run_data.h"
#include "trainer/channel/run_history.h"
#include "trainer/channel/run_past.h"
#include "trainer/channel/run_spec.h"
#include "trainer/loop/clock.h"
#include "trainer/loop/training_loop.h"
#include "trainer/plugin/plugin_host.h"

namespace pilothouse::trainer {
namespace {

// Only the order of examples, and what dropout drops, may differ between a run and its fork: not which are learnt from.
bool SameOrder(const v1::RunSpec& a, const v1::RunSpec& b) {
  return a.seed() == b.seed() && a.keep_order() == b.keep_order();
}

// Comes to where the fork begins, with a learner of the other run's own if it would learn otherwise.
absl::StatusOr<SavedState> VisitParent(const v1::Welcome& welcome, const RunHistory& parent, ResumePlan past,
                                       Learner& learner, ParsedCopy* copy, const LoopOptions& options) {
  absl::StatusOr<RunPlan> plan = PlanRun(parent.spec());
  if (!plan.ok()) return plan.status();
  plan->learner.is_new = false;
  LoopOptions visit = options;
  visit.knobs = plan->knobs;
  visit.eta_schedule = plan->eta_schedule;
  visit.plugins = plan->plugins;
  visit.seed = parent.spec().seed();
  visit.first_batch = parent.first_batch();
  visit.past_directory = welcome.fork().directory();
  visit.resume = std::make_shared<const ResumePlan>(std::move(past));
  SystemClock clock;
  // An initial state is left out of a fork's spec, so its learner could not begin anew.
  if (SameOrder(parent.spec(), welcome.spec()) && visit.resume->checkpoint != nullptr) {
    return TrainingLoop::Visit(std::move(visit), learner, clock);
  }
  const absl::StatusOr<std::unique_ptr<Learner>> own = BuildLearner(*plan, DataFilesOf(welcome), copy);
  if (!own.ok()) return own.status();
  return TrainingLoop::Visit(std::move(visit), **own, clock);
}

// What the fork does differently, as changes; those that cannot be made are refused.
absl::StatusOr<ForkStart> CheckChanges(const v1::ForkPoint& fork, const SavedState& state, const LearnerFacts& facts,
                                       const LoopOptions& options) {
  ForkStart start;
  for (int i = 0; i < fork.knobs_size(); ++i) {
    const v1::KnobChange& message = fork.knobs(i);
    const KnobChange knob{message.name(), message.value(), message.follow_schedule()};
    const absl::Status checked = options.knobs.Check(knob, facts.parameters);
    if (!checked.ok()) return WithFieldPrefix(checked, absl::StrCat("knobs[", i, "]"));
    start.changes.emplace_back(knob);
  }
  const RunTimelines timelines({facts.examples, facts.batch_size}, {},
                               {.batch = options.first_batch, .wall_time = {}, .training_time = {}});
  PluginHost host(KindsOf(options), SurroundingsOf(options, facts), timelines,
                  [] { return std::chrono::steady_clock::now(); });
  if (absl::Status restored = host.Restore(state); !restored.ok()) return restored;
  for (int i = 0; i < fork.detach_plugins_size(); ++i) {
    const absl::StatusOr<std::string> detached = host.Detach(fork.detach_plugins(i));
    if (!detached.ok()) return WithFieldPrefix(detached.status(), absl::StrCat("detach_plugins[", i, "]"));
    start.changes.emplace_back(DetachPluginChange{fork.detach_plugins(i)});
  }
  for (int i = 0; i < fork.attach_plugins_size(); ++i) {
    absl::StatusOr<PluginSpec> spec = FromMessage(fork.attach_plugins(i));
    const absl::StatusOr<std::string> attached = spec.ok() ? host.Attach(*spec) : spec.status();
    if (!attached.ok()) return WithFieldPrefix(attached.status(), absl::StrCat("attach_plugins[", i, "]"));
    start.changes.emplace_back(AttachPluginChange{*std::move(spec)});
  }
  return start;
}

}  // namespace

absl::Status AddFork(const v1::Welcome& welcome, Learner& learner, ParsedCopy* copy, LoopOptions& options) {
  const v1::ForkPoint& fork = welcome.fork();
  const absl::StatusOr<RunHistory> parent = RunHistory::Read(fork.directory());
  if (!parent.ok()) return parent.status();
  std::vector<std::string> damaged;
  absl::StatusOr<ResumePlan> past = parent->PlanVisit(fork.batch(), fork.branch(), damaged);
  LogDamaged(damaged);
  if (!past.ok()) return past.status();
  Log(absl::StrCat("comes to batch ", fork.batch(), " of run ", parent->run_id(), " from ", BeginningOf(*past)));
  absl::StatusOr<SavedState> state = VisitParent(welcome, *parent, *std::move(past), learner, copy, options);
  if (!state.ok()) return state.status();
  absl::StatusOr<ForkStart> start = CheckChanges(fork, *state, learner.facts(), options);
  if (!start.ok()) return start.status();
  auto plan = std::make_shared<ResumePlan>();
  plan->checkpoint = std::make_shared<const SavedState>(*std::move(state));
  plan->through_batch = fork.batch();
  plan->message = absl::StrCat("Forked from run ", parent->run_id(), " at batch ", fork.batch(), ".");
  options.resume = std::move(plan);
  options.fork = std::make_shared<const ForkStart>(*std::move(start));
  return absl::OkStatus();
}

}  // namespace pilothouse::trainer
