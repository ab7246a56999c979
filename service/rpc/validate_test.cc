#include "service/rpc/validate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "proto/support/error.h"
#include "proto/support/limits.h"

namespace pilothouse::service {
namespace {

v1::ErrorReason ReasonForEta(double eta) {
  v1::SetEtaRequest request;
  request.set_eta(eta);
  return ReasonOf(ToControl(request).status());
}

v1::ErrorReason ReasonForTarget(int64_t batch) {
  v1::BatchToRequest request;
  request.mutable_target()->set_batch(batch);
  return ReasonOf(ToControl(request).status());
}

TEST(Validate, EtaMustBeFiniteAndAboveZero) {
  for (const double eta : {0.0, -0.0, -1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    EXPECT_EQ(ReasonForEta(eta), v1::ERROR_REASON_ETA_INVALID) << eta;
  }
  EXPECT_EQ(ReasonForEta(1e-300), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(Validate, EtaFollowsItsScheduleInPlaceOfAValue) {
  v1::SetEtaRequest request;
  request.set_follow_schedule(true);
  const auto control = ToControl(request);
  ASSERT_TRUE(control.ok()) << control.status();
  EXPECT_EQ(control->change().knob().name(), "eta");
  EXPECT_TRUE(control->change().knob().follow_schedule());
  request.set_eta(0.1);
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_ETA_INVALID);
}

TEST(Validate, ATargetIsAWholeNumberThatADoubleHolds) {
  EXPECT_EQ(ReasonForTarget(0), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForTarget(kMaxTarget), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonForTarget(-1), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonForTarget(kMaxTarget + 1), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonOf(ToControl(v1::BatchToRequest()).status()), v1::ERROR_REASON_TARGET_INVALID);
  v1::BatchToRequest more;
  more.mutable_target()->set_more(0);
  EXPECT_EQ(ReasonOf(ToControl(more).status()), v1::ERROR_REASON_TARGET_INVALID);
}

TEST(Validate, OptionsAreCarriedIntoTheControl) {
  v1::StopRequest request;
  request.mutable_options()->set_request_id("r-1");
  request.mutable_options()->set_at_batch(0);
  request.mutable_options()->set_origin("ana@lab");
  request.mutable_options()->set_note("lunch");
  const auto control = ToControl(request);
  ASSERT_TRUE(control.ok());
  EXPECT_EQ(control->request_id(), "r-1");
  EXPECT_TRUE(control->has_at_batch());
  EXPECT_EQ(control->at_batch(), 0);
  EXPECT_EQ(control->origin(), "ana@lab");
  EXPECT_EQ(control->note(), "lunch");
  EXPECT_TRUE(control->change().has_stop());
}

TEST(Validate, IdsAndTextsAreBoundedAndClean) {
  v1::StopRequest request;
  for (const std::string& id : {std::string(129, 'a'), std::string("a\n"), std::string("ä"), std::string("service-1"),
                                std::string("trainer-1"), std::string("plugin-1")}) {
    request.mutable_options()->set_request_id(id);
    EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_REQUEST_ID_INVALID);
  }
  request.mutable_options()->set_request_id("");
  request.mutable_options()->set_note(std::string(513, 'a'));
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_SPEC_INVALID);
  request.mutable_options()->set_note("esc \x1b[2J");
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_SPEC_INVALID);
  request.mutable_options()->set_note("Grüße");
  EXPECT_TRUE(ToControl(request).ok());
  request.mutable_options()->set_at_batch(-1);
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST(Validate, AKnobNeedsANameAndAFiniteValue) {
  v1::SetKnobRequest request;
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_KNOB_UNKNOWN);
  request.set_name("eta");
  request.set_value(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ReasonOf(ToControl(request).status()), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
}

TEST(Validate, AModelIsChosenByAKnownNameOrAFileOfTheFolder) {
  v1::EvaluateRequest request;
  EXPECT_TRUE(CheckEvaluate(request).ok());
  request.mutable_model()->set_saved_file("best-auc.safetensors");
  EXPECT_TRUE(CheckEvaluate(request).ok());
  for (const std::string& file : {std::string("../run.db"), std::string("a/b"), std::string(".hidden"),
                                  std::string("a\0b", 3), std::string(256, 'a')}) {
    request.mutable_model()->set_saved_file(file);
    EXPECT_EQ(ToError(CheckEvaluate(request)).field(), "model.saved_file") << file;
  }
  request.clear_model();
  request.set_part(static_cast<v1::DataPart>(9));
  EXPECT_EQ(ToError(CheckEvaluate(request)).field(), "part");
  v1::ModelChoice choice;
  choice.set_model(static_cast<v1::Model>(9));
  EXPECT_EQ(ToError(CheckModelChoice(choice)).field(), "model");
}

TEST(Validate, AStartChecksItsNameItsTargetAndItsSize) {
  v1::StartRunRequest request;
  EXPECT_TRUE(CheckStartRun(request).ok());
  request.set_run_id("No!");
  EXPECT_EQ(ReasonOf(CheckStartRun(request)), v1::ERROR_REASON_RUN_ID_INVALID);
  request.set_run_id("yes");
  request.set_target(-5);
  EXPECT_EQ(ReasonOf(CheckStartRun(request)), v1::ERROR_REASON_TARGET_INVALID);
  request.clear_target();
  request.mutable_spec()->mutable_data()->add_target_columns(std::string(2 << 20, 'c'));
  EXPECT_EQ(ReasonOf(CheckStartRun(request)), v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

TEST(Validate, PredictTakesAWellMadeArrayOfBoundedSize) {
  v1::PredictRequest request;
  EXPECT_EQ(ReasonOf(CheckPredict(request)), v1::ERROR_REASON_ARRAY_DTYPE_INVALID);
  request.mutable_inputs()->set_element_type(v1::ELEMENT_TYPE_FLOAT32);
  request.mutable_inputs()->add_shape(2);
  request.mutable_inputs()->set_data(std::string(7, 'x'));
  EXPECT_EQ(ReasonOf(CheckPredict(request)), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  request.mutable_inputs()->set_data(std::string(kMaxPredictBytes + 4, 'x'));
  EXPECT_EQ(ReasonOf(CheckPredict(request)), v1::ERROR_REASON_REQUEST_TOO_LARGE);
}

}  // namespace
}  // namespace pilothouse::service
