#include "service/rpc/list_runs.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

std::vector<std::shared_ptr<const v1::Run>> Runs(int count) {
  std::vector<std::shared_ptr<const v1::Run>> runs;
  for (int i = count; i > 0; --i) {
    auto run = std::make_shared<v1::Run>();
    run->set_run_id("run-" + std::to_string(i));
    run->mutable_spec()->set_seed(7);
    run->add_plugins();
    run->mutable_parent()->set_run_id("parent");
    run->add_branches();
    runs.push_back(std::move(run));
  }
  return runs;
}

TEST(ListRuns, PagesTogetherAreTheWholeListInOrder) {
  v1::ListRunsRequest request;
  request.set_page_size(3);
  std::vector<std::string> ids;
  do {
    const auto page = PageOfRuns(Runs(8), request);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->runs_size(), 3);
    for (const auto& run : page->runs()) ids.push_back(run.run_id());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids, (std::vector<std::string>{"run-8", "run-7", "run-6", "run-5", "run-4", "run-3", "run-2", "run-1"}));
}

TEST(ListRuns, LeavesSpecsAndPluginsOutAndTakesDefaults) {
  const auto page = PageOfRuns(Runs(101), v1::ListRunsRequest());
  EXPECT_EQ(page->runs_size(), kDefaultPageSize);
  EXPECT_FALSE(page->runs(0).has_spec());
  EXPECT_EQ(page->runs(0).plugins_size(), 0);
  EXPECT_TRUE(PageOfRuns({}, v1::ListRunsRequest())->next_page_token().empty());
}

TEST(ListRuns, TellsWhereRunsComeFrom) {
  const auto page = PageOfRuns(Runs(1), v1::ListRunsRequest());
  EXPECT_EQ(page->runs(0).parent().run_id(), "parent");
  EXPECT_EQ(page->runs(0).branches_size(), 1);
}

TEST(ListRuns, RefusesSizesAndTokensThatMakeNoSense) {
  v1::ListRunsRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(ReasonOf(PageOfRuns(Runs(1), request).status()), v1::ERROR_REASON_SPEC_INVALID);
  request.set_page_size(kMaxPageSize + 1);
  EXPECT_EQ(ReasonOf(PageOfRuns(Runs(1), request).status()), v1::ERROR_REASON_SPEC_INVALID);
  request.set_page_size(1);
  request.set_page_token("none");
  EXPECT_EQ(ReasonOf(PageOfRuns(Runs(1), request).status()), v1::ERROR_REASON_SPEC_INVALID);
}

}  // namespace
}  // namespace pilothouse::service
