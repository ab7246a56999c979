#include "service/watch/watch_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/support/error.h"

namespace pilothouse::service {
namespace {

TEST(WatchOptions, MeansEverythingButStatesFromNowOnWhenNothingIsSaid) {
  const auto options = ParseWatchRequest({});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->after_sequence, std::nullopt);
  EXPECT_EQ(options->min_interval, absl::Milliseconds(50));
  EXPECT_EQ(options->max_interval, absl::Seconds(1));
  EXPECT_TRUE(options->kinds.Contains(v1::EVENT_KIND_LOSS));
  EXPECT_TRUE(options->kinds.Contains(v1::EVENT_KIND_STATUS));
  EXPECT_TRUE(options->kinds.Contains(v1::EVENT_KIND_CONTROL));
  EXPECT_TRUE(options->kinds.Contains(v1::EVENT_KIND_PLUGIN));
  EXPECT_TRUE(options->kinds.Contains(v1::EVENT_KIND_CHECKPOINT));
  EXPECT_FALSE(options->kinds.Contains(v1::EVENT_KIND_STATE));
}

TEST(WatchOptions, TellsZeroFromUnset) {
  v1::WatchTrainingRequest request;
  request.set_after_sequence(0);
  request.mutable_min_interval();
  request.add_kinds(v1::EVENT_KIND_STATE);
  const auto options = ParseWatchRequest(request);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->after_sequence, 0u);
  EXPECT_EQ(options->min_interval, absl::ZeroDuration());
  EXPECT_FALSE(options->kinds.Contains(v1::EVENT_KIND_LOSS));
}

TEST(WatchOptions, RefusesIntervalsOutOfTheirRange) {
  struct Case {
    int64_t seconds;
    int32_t nanos;
    bool min_valid;
    bool max_valid;
  };
  for (const Case& c : {Case{-1, 0, false, false}, Case{0, -1, false, false}, Case{0, 99'999'999, true, false},
                        Case{0, 100'000'000, true, true}, Case{3600, 0, true, true}, Case{3600, 1, false, false},
                        Case{INT64_MAX, INT32_MAX, false, false}, Case{INT64_MIN, INT32_MIN, false, false}}) {
    v1::WatchTrainingRequest request;
    request.mutable_min_interval()->set_seconds(c.seconds);
    request.mutable_min_interval()->set_nanos(c.nanos);
    const absl::Status min = ParseWatchRequest(request).status();
    EXPECT_EQ(min.ok(), c.min_valid) << c.seconds << " s " << c.nanos;
    if (!min.ok()) {
      EXPECT_EQ(ToError(min).field(), "min_interval");
    }
    *request.mutable_max_interval() = request.min_interval();
    request.clear_min_interval();
    const absl::Status max = ParseWatchRequest(request).status();
    EXPECT_EQ(max.ok(), c.max_valid) << c.seconds << " s " << c.nanos;
    if (!max.ok()) {
      EXPECT_EQ(ReasonOf(max), v1::ERROR_REASON_INTERVAL_INVALID);
    }
  }
}

TEST(WatchOptions, RefusesKindsThatItDoesNotKnow) {
  for (const int kind : {0, v1::EventKind_MAX + 1, 99, -1}) {
    v1::WatchTrainingRequest request;
    request.add_kinds(static_cast<v1::EventKind>(kind));
    EXPECT_EQ(ToError(ParseWatchRequest(request).status()).field(), "kinds") << kind;
  }
}

}  // namespace
}  // namespace pilothouse::service
