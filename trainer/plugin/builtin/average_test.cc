#include "trainer/plugin/builtin/average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/plugin/builtin/builtin_fixture.h"
#include "trainer/plugin/fake_run_view.h"

namespace pilothouse::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AverageTest : public testing::Test {
 protected:
  AverageTest() {
    run_.run_directory = absl::StrCat(testing::TempDir(), "/average-", getpid());
    surroundings_.parameters = 3;
  }
  ~AverageTest() override { std::filesystem::remove_all(run_.run_directory); }

  std::unique_ptr<Plugin> Make(std::map<std::string, std::string> settings) {
    auto plugin = MakePlugin("average", std::move(settings), surroundings_);
    EXPECT_TRUE(plugin.ok()) << plugin.status();
    return *std::move(plugin);
  }

  Called CallWith(Plugin& plugin, std::vector<double> state, bool done = false) {
    run_.state = std::move(state);
    if (!done) run_.GoTo(run_.current_batch + 1);
    return Call(plugin, run_, done);
  }

  // The numbers in a file that FixedModel wrote, its batch first.
  std::vector<double> Saved(const std::string& file = "average.safetensors") const {
    std::ifstream stream(run_.run_directory + "/saved/" + file);
    double batch = 0;
    char colon = 0;
    stream >> batch >> colon;
    std::vector<double> numbers = {batch};
    numbers.insert(numbers.end(), std::istream_iterator<double>(stream), std::istream_iterator<double>());
    return stream.eof() ? numbers : std::vector<double>();
  }

  FakeRunView run_;
  PluginSurroundings surroundings_;
};

TEST_F(AverageTest, WeighsEachStateByHowLongAgoItWas) {
  const auto plugin = Make({{"decay", "0.5"}});
  EXPECT_THAT(CallWith(*plugin, {1, 0, 8}).outputs, IsEmpty());
  CallWith(*plugin, {1, 4, 4});
  CallWith(*plugin, {1, 4, 0});
  EXPECT_FALSE(std::filesystem::exists(run_.run_directory));
  const Called last = CallWith(*plugin, {9, 9, 9}, /*done=*/true);
  ASSERT_TRUE(last.status.ok()) << last.status;
  EXPECT_THAT(last.outputs[0].message, HasSubstr("average of 3 states was saved to saved/average.safetensors"));
  // Weights 1/7, 2/7 and 4/7.
  const std::vector<double> saved = Saved();
  ASSERT_EQ(saved.size(), 4U);
  EXPECT_EQ(saved[0], 3);
  EXPECT_NEAR(saved[1], 1, 1e-5);
  EXPECT_NEAR(saved[2], 24.0 / 7, 1e-5);
  EXPECT_NEAR(saved[3], 16.0 / 7, 1e-5);
}

TEST_F(AverageTest, OfOneStateIsThatState) {
  const auto plugin = Make({{"file", "ema.safetensors"}, {"save_every", "1"}});
  CallWith(*plugin, {1, -2, 0.5});
  EXPECT_THAT(Saved("ema.safetensors"), ElementsAre(1, 1, -2, 0.5));
}

TEST_F(AverageTest, IsSavedSoOftenAndNotTwice) {
  const auto plugin = Make({{"save_every", "3"}});
  std::vector<int64_t> saved_at;
  for (int i = 0; i < 7; ++i) {
    if (!CallWith(*plugin, {1, 2, 3}).outputs.empty()) saved_at.push_back(run_.current_batch);
  }
  EXPECT_THAT(saved_at, ElementsAre(3, 6));
  EXPECT_EQ(Call(*plugin, run_, /*done=*/true).outputs.size(), 1U);
  EXPECT_THAT(Call(*plugin, run_, /*done=*/true).outputs, IsEmpty());
  EXPECT_THAT(Call(*Make({}), run_, /*done=*/true).outputs, IsEmpty()) << "it never saw a state";
}

TEST_F(AverageTest, IsSavedAtTheNextCallWhereItCouldNotBe) {
  const auto plugin = Make({{"save_every", "2"}});
  std::filesystem::create_directories(run_.run_directory);
  std::ofstream(run_.run_directory + "/saved") << "in the way of the folder";
  EXPECT_TRUE(CallWith(*plugin, {1, 2, 3}).status.ok());
  EXPECT_FALSE(CallWith(*plugin, {1, 2, 3}).status.ok());
  EXPECT_FALSE(CallWith(*plugin, {1, 2, 3}).status.ok());
  std::filesystem::remove(run_.run_directory + "/saved");
  EXPECT_EQ(CallWith(*plugin, {1, 2, 3}).outputs.size(), 1U);
}

TEST_F(AverageTest, GoesOnWhereItWasRestored) {
  const auto through = Make({{"decay", "0.9"}});
  CallWith(*through, {1, 2, 3});
  CallWith(*through, {4, 4, 4});
  const auto restored = Make({{"decay", "0.9"}});
  ASSERT_TRUE(restored->Restore(through->Save()).ok());
  CallWith(*restored, {-1, 0, 7});
  CallWith(*through, {-1, 0, 7});
  EXPECT_EQ(restored->Save(), through->Save());
  const auto fresh = Make({});
  EXPECT_TRUE(fresh->Restore(Make({})->Save()).ok());
}

TEST_F(AverageTest, RefusesToRestoreWhatIsDamaged) {
  const auto plugin = Make({});
  CallWith(*plugin, {1, 2, 3});
  const std::string before = plugin->Save();
  for (const std::string& bad : {std::string(), before.substr(1), before + "x", std::string(16, '\xff')}) {
    EXPECT_EQ(ReasonOf(plugin->Restore(bad)), v1::ERROR_REASON_DATA_MALFORMED);
    EXPECT_EQ(plugin->Save(), before);
  }
}

TEST_F(AverageTest, TakesNothingInThatIsNotFinite) {
  const auto plugin = Make({});
  CallWith(*plugin, {1, 2, 3});
  const std::string before = plugin->Save();
  const Called called = CallWith(*plugin, {1, std::numeric_limits<double>::quiet_NaN(), 3});
  EXPECT_FALSE(called.status.ok());
  EXPECT_EQ(plugin->Save(), before);
}

TEST_F(AverageTest, SaysThatItCannotBeSavedAndTriesAgainAtTheEnd) {
  const auto plugin = Make({{"save_every", "1"}});
  run_.can_save = false;
  EXPECT_FALSE(CallWith(*plugin, {1, 2, 3}).status.ok());
  run_.can_save = true;
  EXPECT_EQ(Call(*plugin, run_, /*done=*/true).outputs.size(), 1U);
}

TEST_F(AverageTest, RefusesSettingsThatMakeNoSense) {
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"decay", "1"}, {"file", "../elsewhere"}, {"save_every", "-1"}, {"deca", "0.5"}}) {
    EXPECT_EQ(ReasonOf(MakePlugin("average", {{name, value}}, surroundings_).status()),
              v1::ERROR_REASON_PLUGIN_SETTING_INVALID)
        << name;
  }
  EXPECT_FALSE(MakePlugin("average", {{"decay", "0"}}, surroundings_).ok());
}

}  // namespace
}  // namespace pilothouse::trainer
