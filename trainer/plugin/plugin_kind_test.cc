#include "trainer/plugin/plugin_kind.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::trainer {
namespace {

PluginKind Kind(const std::string& name) {
  PluginKind kind;
  kind.name = name;
  kind.description = "For tests.";
  kind.settings = {{"times", "how many", "3"}, {"file", "where to", "", true}};
  kind.make = [](const PluginSettings&, const PluginSurroundings&) -> absl::StatusOr<std::unique_ptr<Plugin>> {
    return absl::UnimplementedError("");
  };
  return kind;
}

TEST(PluginKinds, AreFoundByName) {
  PluginKinds kinds;
  kinds.Register(Kind("one"));
  kinds.Register(Kind("two"));
  ASSERT_TRUE(kinds.Find("two").ok());
  EXPECT_EQ((*kinds.Find("two"))->name, "two");
}

TEST(PluginKinds, UnknownOnesAreRefusedWithTheList) {
  PluginKinds kinds;
  kinds.Register(Kind("one"));
  kinds.Register(Kind("two"));
  const v1::Error error = ToError(kinds.Find("three").status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_KIND_UNKNOWN);
  EXPECT_EQ(error.message(), "There is no kind of plugin \"three\". The kinds are: one, two.");
  EXPECT_EQ(error.metadata().at("known"), "one, two");
}

TEST(PluginKinds, SettingsLeftOutHaveTheirUsualValue) {
  const absl::StatusOr<PluginSettings> settings = PluginKinds::Complete(Kind("one"), {{"file", "a"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->Text("times"), "3");
  EXPECT_EQ(settings->Text("file"), "a");
}

TEST(PluginKinds, SettingsThatAreNeededMustBeGiven) {
  for (const std::map<std::string, std::string>& given :
       {std::map<std::string, std::string>(), std::map<std::string, std::string>{{"file", ""}}}) {
    const absl::Status status = PluginKinds::Complete(Kind("one"), given).status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
    EXPECT_EQ(status.message(), "The kind \"one\" needs the setting \"file\": where to.");
  }
}

TEST(PluginKinds, UnknownSettingsAreRefusedWithTheList) {
  const v1::Error error = ToError(PluginKinds::Complete(Kind("one"), {{"tmies", "4"}}).status());
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_EQ(error.field(), "settings.tmies");
  EXPECT_EQ(error.message(), "The kind \"one\" has no setting \"tmies\". It has: times, file.");
}

TEST(PluginKinds, SettingsThatAreTooLongAreRefused) {
  const absl::Status status =
      PluginKinds::Complete(Kind("one"), {{"file", std::string(kMaxPluginTextBytes + 1, 'a')}}).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
}

PluginSurroundings Surroundings(int64_t validation_examples) {
  PluginSurroundings surroundings;
  surroundings.knobs = {"eta", "momentum"};
  surroundings.validation_examples = validation_examples;
  return surroundings;
}

TEST(CheckViewName, KnowsViewsAndKnobs) {
  for (const char* name : {"batch", "loss", "epoch", "validation_loss", "eta", "momentum"}) {
    EXPECT_TRUE(CheckViewName(name, "value", Surroundings(10)).ok()) << name;
  }
}

TEST(CheckViewName, BlamesTheSettingAndListsTheNames) {
  const v1::Error error = ToError(CheckViewName("lost", "value", Surroundings(10)));
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_EQ(error.field(), "settings.value");
  EXPECT_TRUE(absl::StrContains(error.metadata().at("known"), "validation_mae, eta, momentum")) << error.message();
}

TEST(CheckViewName, NeedsExamplesHeldOutForWhatAValidationFinds) {
  const absl::Status status = CheckViewName("validation_loss", "value", Surroundings(0));
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NO_VALIDATION_DATA);
  EXPECT_TRUE(absl::StrContains(status.message(), "--validation")) << status.message();
}

TEST(CheckViewName, KnowsWhichScoresThereCanBe) {
  PluginSurroundings surroundings = Surroundings(10);
  EXPECT_TRUE(CheckViewName("validation_accuracy", "metric", surroundings).ok()) << "nothing is known of them";
  surroundings.scores = {"r2", "mae"};
  for (const char* name : {"validation_loss", "validation_r2", "validation_mae", "loss", "eta"}) {
    EXPECT_TRUE(CheckViewName(name, "metric", surroundings).ok()) << name;
  }
  const v1::Error error = ToError(CheckViewName("validation_accuracy", "metric", surroundings));
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_PLUGIN_SETTING_INVALID);
  EXPECT_EQ(error.field(), "settings.metric");
  EXPECT_EQ(error.message(),
            "With this loss and so many outputs validations have no validation_accuracy; they have validation_loss, "
            "validation_r2, validation_mae.");
}

}  // namespace
}  // namespace pilothouse::trainer
