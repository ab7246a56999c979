#include "proto/support/error.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/support/grpc_error.h"

namespace pilothouse {
namespace {

TEST(Error, CarriesReasonFieldAndMetadataOverTheWireAndBack) {
  const absl::Status made = MakeError(v1::ERROR_REASON_ETA_INVALID, "eta", "eta must be above 0.", {{"value", "-1"}});
  const absl::Status arrived = FromGrpcStatus(ToGrpcStatus(made));
  EXPECT_EQ(arrived.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(arrived), v1::ERROR_REASON_ETA_INVALID);
  const v1::Error error = ToError(arrived);
  EXPECT_EQ(error.field(), "eta");
  EXPECT_EQ(error.message(), "eta must be above 0.");
  EXPECT_EQ(error.metadata().at("value"), "-1");
}

TEST(Error, EveryReasonHasACodeOtherThanOkAndANameThatLeadsBack) {
  const auto* reasons = v1::ErrorReason_descriptor();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::ErrorReason>(reasons->value(i)->number());
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kOk) << ReasonName(reason);
    EXPECT_EQ(ReasonFromName(ReasonName(reason)), reason);
  }
}

TEST(Error, AForeignStatusKeepsItsCodeAndHasNoReason) {
  const absl::Status arrived = FromGrpcStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"));
  EXPECT_EQ(arrived.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(arrived), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(Error, AVeryLongMessageIsCutAtACharacterSoThatTheHeadersHoldIt) {
  std::string text = "x";
  while (text.size() < 100'000) text += "é";
  const grpc::Status status = ToGrpcStatus(MakeError(v1::ERROR_REASON_INTERNAL, "", text));
  EXPECT_LT(status.error_message().size(), 2100U);
  EXPECT_LT(status.error_details().size(), 7000U);
  EXPECT_EQ(status.error_message().find("éé…"), status.error_message().size() - std::string("éé…").size());
}

TEST(Error, APrefixNamesTheFieldFromTheOutside) {
  const absl::Status inner = MakeError(v1::ERROR_REASON_NET_INVALID, "shorthand", "…");
  EXPECT_EQ(ToError(WithFieldPrefix(inner, "spec.network")).field(), "spec.network.shorthand");
  EXPECT_EQ(ReasonOf(WithFieldPrefix(inner, "spec.network")), v1::ERROR_REASON_NET_INVALID);
}

}  // namespace
}  // namespace pilothouse
