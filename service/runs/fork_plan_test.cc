#include "service/runs/fork_plan.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace pilothouse::service {
namespace {

// A fork at batch 40 of a run that began with eta 0.1, which is to have another eta.
RunToStart Plan(const std::string& schedule_of_parent, const v1::KnobChange& eta, const std::string& schedule = "") {
  ForkParent parent;
  parent.run.mutable_spec()->set_eta(0.1);
  parent.run.mutable_spec()->set_eta_schedule(schedule_of_parent);
  parent.last_batch = 50;
  v1::ForkRequest request;
  *request.add_knobs() = eta;
  request.set_eta_schedule(schedule);
  absl::StatusOr<RunToStart> run = PlanFork(request, parent, 40);
  EXPECT_TRUE(run.ok()) << run.status();
  return run.ok() ? *std::move(run) : RunToStart();
}

v1::KnobChange Eta(double value) {
  v1::KnobChange eta;
  eta.set_name("eta");
  eta.set_value(value);
  return eta;
}

TEST(ForkPlan, WithoutAScheduleAnotherEtaIsAlsoWhatTheForkBeganWith) {
  for (const std::string schedule : {"", "constant", " constant unit=batches"}) {
    const RunToStart run = Plan(schedule, Eta(0.25));
    EXPECT_EQ(run.spec.eta(), 0.25) << schedule;
    EXPECT_EQ(run.spec.eta_schedule(), schedule);
    ASSERT_EQ(run.beginning.fork().knobs_size(), 1);
    EXPECT_EQ(run.beginning.fork().knobs(0).value(), 0.25);
  }
}

// With keep_order alone, which decides the split where the spec does not, a fork would learn from what was kept for the
// end, and be scored on what it has learnt.
TEST(ForkPlan, AnotherOrderOfExamplesLeavesThemTheirParts) {
  for (const bool kept : {false, true}) {
    ForkParent parent;
    parent.run.mutable_spec()->set_keep_order(kept);
    parent.last_batch = 50;
    v1::ForkRequest request;
    EXPECT_EQ(PlanFork(request, parent, 40)->spec.data().split(), v1::SPLIT_METHOD_UNSPECIFIED) << "as it was";
    request.set_keep_order(!kept);
    const absl::StatusOr<RunToStart> fork = PlanFork(request, parent, 40);
    ASSERT_TRUE(fork.ok()) << fork.status();
    EXPECT_EQ(fork->spec.keep_order(), !kept);
    EXPECT_EQ(fork->spec.data().split(), kept ? v1::SPLIT_METHOD_TAIL : v1::SPLIT_METHOD_RANDOM);
    parent.run.mutable_spec()->mutable_data()->set_split(v1::SPLIT_METHOD_STRATIFIED);
    EXPECT_EQ(PlanFork(request, parent, 40)->spec.data().split(), v1::SPLIT_METHOD_STRATIFIED);
  }
}

TEST(ForkPlan, TheScheduleOfItsParentBeginsWithTheEtaThatItDoesThere) {
  EXPECT_EQ(Plan("50,0.01", Eta(0.25)).spec.eta(), 0.1);
  EXPECT_EQ(Plan("constantly", Eta(0.25)).spec.eta(), 0.1);
  EXPECT_EQ(Plan("50,0.01", Eta(0.25), "constant").spec.eta(), 0.25) << "it has one of its own";
}

TEST(ForkPlan, AnEtaThatIsToFollowTheScheduleIsNotWhatItBeginsWith) {
  v1::KnobChange eta = Eta(0);
  eta.set_follow_schedule(true);
  EXPECT_EQ(Plan("", eta, "50,0.01").spec.eta(), 0.1);
  eta.set_value(0.25);
  EXPECT_EQ(Plan("", eta, "50,0.01").spec.eta(), 0.1);
}

// Where they are in the request, the trainer's refusal says.
TEST(ForkPlan, AnEtaThatIsNoneIsLeftToTheTrainerToRefuse) {
  for (const double none :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const RunToStart run = Plan("", Eta(none), "50,0.01");
    EXPECT_EQ(run.spec.eta(), 0.1) << none;
    EXPECT_EQ(run.beginning.fork().knobs(0).name(), "eta");
  }
}

}  // namespace
}  // namespace pilothouse::service
