// Whatever is wrong is refused at the door: with a status, a reason, the field and a sentence, and without touching a
// run.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "proto/support/grpc_error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"
#include "tests/support/test_service.h"
#include "tests/support/watcher.h"

namespace pilothouse::testing {
namespace {

constexpr int64_t kDatasetLimit = 4 << 20;

class BadInput : public ::testing::Test {
 protected:
  // Starts a run with a spec that `spoil` has made bad; expects the refusal, and that no run is left.
  void ExpectRefused(const std::string& what, const std::function<void(v1::RunSpec&)>& spoil, v1::ErrorReason reason,
                     const std::string& field, const std::string& words) {
    SCOPED_TRACE(what);
    v1::RunSpec spec = service_.XorSpec();
    spoil(spec);
    const auto run = service_.Start(spec, 0, "refused");
    ASSERT_FALSE(run.ok());
    const v1::Error error = ToError(run.status());
    EXPECT_EQ(ReasonName(error.reason()), ReasonName(reason)) << error.message();
    EXPECT_EQ(error.field(), field) << error.message();
    EXPECT_TRUE(absl::StrContains(error.message(), words)) << error.message();
    EXPECT_EQ(ReasonOf(service_.State("refused").status()), v1::ERROR_REASON_RUN_NOT_FOUND);
  }

  // The same for data: a table whose last column is the target, for a network of two inputs and one output.
  void ExpectTableRefused(const std::string& what, const std::string& table, v1::ErrorReason reason,
                          const std::string& words) {
    ExpectRefused(
        what, [&](v1::RunSpec& spec) { spec.mutable_data()->set_dataset_id(*service_.UploadTable(table)); }, reason,
        "spec.data", words);
  }

  TestService service_{kDatasetLimit};
};

TEST_F(BadInput, AMalformedNetworkIsRefusedAtItsCharacter) {
  const auto shorthand = [](const std::string& text) {
    return [text](v1::RunSpec& spec) {
      spec.mutable_network()->set_shorthand(text);
      spec.mutable_network()->clear_initial_state();
    };
  };
  const auto refused = [&](const std::string& text, const std::string& words) {
    ExpectRefused(text, shorthand(text), v1::ERROR_REASON_NET_INVALID, "spec.network.shorthand", words);
  };
  refused("2x2qx1t", "4");
  refused("2x", "3");
  refused("", "1");
  refused("2", "2");
  refused("0x1", "1");
  refused("2x99999999999999999999", "3");
  refused("-2x1", "1");
}

TEST_F(BadInput, ANetworkThatDoesNotFitItsDataIsRefused) {
  const auto net = [](const std::string& text) {
    return [text](v1::RunSpec& spec) {
      spec.mutable_network()->set_shorthand(text);
      spec.mutable_network()->clear_initial_state();
    };
  };
  ExpectRefused("too wide", net("3x1"), v1::ERROR_REASON_NET_DATA_MISMATCH, "spec.network", "3");
  ExpectRefused("two outputs for one target", net("2x2"), v1::ERROR_REASON_NET_DATA_MISMATCH, "spec.network", "2");
}

TEST_F(BadInput, AnInitialStateOfTheWrongLengthOrNotFiniteIsRefused) {
  ExpectRefused(
      "ten numbers for nine parameters",
      [](v1::RunSpec& spec) {
        *spec.mutable_network()->mutable_initial_state() = MakeTensor(std::vector<double>(10, 0.5), {10});
      },
      v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "spec.network.initial_state", "9");
  ExpectRefused(
      "nan",
      [](v1::RunSpec& spec) {
        *spec.mutable_network()->mutable_initial_state() = MakeTensor(std::vector<double>(9, std::nan("")), {9});
      },
      v1::ERROR_REASON_DATA_MALFORMED, "spec.network.initial_state", "finite");
}

TEST_F(BadInput, ASpecThatLacksOrContradictsSomethingIsRefused) {
  ExpectRefused(
      "no loss", [](v1::RunSpec& spec) { spec.clear_loss(); }, v1::ERROR_REASON_SPEC_INVALID, "spec.loss", "loss");
  ExpectRefused(
      "batch size of full batch", [](v1::RunSpec& spec) { spec.set_batch_size(2); }, v1::ERROR_REASON_SPEC_INVALID,
      "spec.batch_size", "full");
  ExpectRefused(
      "batch size zero",
      [](v1::RunSpec& spec) {
        spec.clear_full_batch();
        spec.set_batch_size(0);
      },
      v1::ERROR_REASON_SPEC_INVALID, "spec.batch_size", "at least one");
  ExpectRefused(
      "interval", [](v1::RunSpec& spec) { spec.mutable_report()->mutable_loss_interval()->set_seconds(-1); },
      v1::ERROR_REASON_INTERVAL_INVALID, "spec.report.loss_interval", "0");
  for (const double eta : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    ExpectRefused(
        "eta", [eta](v1::RunSpec& spec) { spec.set_eta(eta); }, v1::ERROR_REASON_ETA_INVALID, "spec.eta", "eta");
  }
  ExpectRefused(
      "ReLU before a binary cross-entropy",
      [](v1::RunSpec& spec) {
        spec.mutable_network()->set_shorthand("2x2x1r");
        spec.mutable_network()->clear_initial_state();
        spec.set_loss(v1::LOSS_FUNCTION_BINARY_CROSS_ENTROPY);
      },
      v1::ERROR_REASON_NET_LOSS_MISMATCH, "spec.loss", "sigmoid");
}

TEST_F(BadInput, ATableThatIsNoTableOfNumbersIsRefusedWithLineAndColumn) {
  const auto malformed = v1::ERROR_REASON_DATA_MALFORMED;
  ExpectTableRefused("ragged", "1,2,0\n1,2\n", malformed, "Line 2");
  ExpectTableRefused("text", "1,2,0\n1,cat,0\n", malformed, "column 2");
  ExpectTableRefused("nan", "1,2,0\n1,nan,0\n", malformed, "Line 2");
  ExpectTableRefused("infinite", "1,inf,0\n", malformed, "column 2");
  ExpectTableRefused("header only", "a,b,c\n", malformed, "no rows");
  ExpectTableRefused("empty cell", "1,2,0\n1,,0\n", malformed, "column 2");
}

TEST_F(BadInput, AnUploadWithNothingInItIsRefused) {
  EXPECT_EQ(ReasonOf(service_.UploadTable("").status()), v1::ERROR_REASON_SPEC_INVALID);
}

TEST_F(BadInput, AColumnThatIsNotThereIsRefusedWithThoseThatAre) {
  const auto with_column = [&](const std::string& column) {
    return [this, column](v1::RunSpec& spec) {
      spec.mutable_data()->set_dataset_id(*service_.UploadTable("left,right,label\n1,2,0\n"));
      spec.mutable_data()->add_target_columns(column);
    };
  };
  for (const char* column : {"wrong", "0", "4", "-4"}) {
    ExpectRefused(column, with_column(column), v1::ERROR_REASON_COLUMN_NOT_FOUND, "spec.data.target_columns", "label");
  }
}

TEST_F(BadInput, LabelsOutsideTheOutputsAreRefusedWithTheirRow) {
  const auto classes = [&](const std::string& table) {
    return [this, table](v1::RunSpec& spec) {
      spec.mutable_network()->set_shorthand("2x3");
      spec.mutable_network()->clear_initial_state();
      spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
      spec.mutable_data()->set_dataset_id(*service_.UploadTable(table));
    };
  };
  const auto reason = v1::ERROR_REASON_LABEL_OUT_OF_RANGE;
  ExpectRefused("3 of 3", classes("1,2,0\n1,2,3\n"), reason, "spec.data", "2");
  ExpectRefused("negative", classes("1,2,-1\n"), reason, "spec.data", "-1");
  ExpectRefused("half a class", classes("1,2,0.5\n"), reason, "spec.data", "0.5");
}

TEST_F(BadInput, ExamplesThatCannotBeLearntFromOrSplitAreRefused) {
  const auto two_classes = [&](const std::string& table, const std::function<void(v1::RunSpec&)>& then) {
    return [this, table, then](v1::RunSpec& spec) {
      spec.mutable_network()->set_shorthand("2x2");
      spec.mutable_network()->clear_initial_state();
      spec.set_loss(v1::LOSS_FUNCTION_CROSS_ENTROPY);
      spec.clear_full_batch();
      spec.mutable_data()->set_dataset_id(*service_.UploadTable(table));
      then(spec);
    };
  };
  const std::string table = "1,2,0\n2,1,1\n3,4,0\n4,3,1\n";
  const auto invalid = v1::ERROR_REASON_SPEC_INVALID;
  ExpectRefused("one class", two_classes("1,2,1\n2,1,1\n", [](v1::RunSpec&) {}), v1::ERROR_REASON_DATA_MALFORMED,
                "spec.data", "class");
  ExpectRefused("fewer rows than a batch", two_classes(table, [](v1::RunSpec& spec) { spec.set_batch_size(5); }),
                invalid, "spec.batch_size", "4");
  for (const char* size : {"4", "100%", "1.0", "-1", "0", "0.1", "many", "5"}) {
    ExpectRefused(size,
                  two_classes(table, [size](v1::RunSpec& spec) { spec.mutable_data()->set_validation_size(size); }),
                  invalid, "spec.data.validation_size", size);
  }
  ExpectRefused("nothing left",
                two_classes(table,
                            [](v1::RunSpec& spec) {
                              spec.mutable_data()->set_validation_size("2");
                              spec.mutable_data()->set_test_size("50%");
                            }),
                invalid, "spec.data.test_size", "none to learn from");
  ExpectRefused("threads", two_classes(table, [](v1::RunSpec& spec) { spec.set_threads(65); }), invalid, "spec.threads",
                "64");
}

TEST_F(BadInput, WeightsThatAreNoneAreRefusedWithTheirRow) {
  const auto weighed = [&](const std::string& table, const std::string& column) {
    return [this, table, column](v1::RunSpec& spec) {
      spec.mutable_data()->set_dataset_id(*service_.UploadTable(table));
      spec.mutable_data()->set_weight_column(column);
    };
  };
  ExpectRefused("no such column", weighed("a,b,w,t\n1,2,1,0\n", "v"), v1::ERROR_REASON_COLUMN_NOT_FOUND,
                "spec.data.weight_column", "w");
  ExpectRefused("negative", weighed("a,b,w,t\n1,2,1,0\n2,1,-1,0.5\n", "w"), v1::ERROR_REASON_DATA_MALFORMED,
                "spec.data", "2");
  ExpectRefused("all nothing", weighed("a,b,w,t\n1,2,0,0\n2,1,0,0.5\n", "w"), v1::ERROR_REASON_DATA_MALFORMED,
                "spec.data", "0");
}

TEST_F(BadInput, AScheduleOfEtaIsRefusedWithTheEntryThatIsWrong) {
  for (const char* schedule : {"50,0.01;70,zero", "50,0.01;50,0.005", "cosine over=0", "sine over=5"}) {
    ExpectRefused(
        schedule, [schedule](v1::RunSpec& spec) { spec.set_eta_schedule(schedule); },
        v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "spec.eta_schedule", "");
  }
  ExpectRefused(
      "which", [](v1::RunSpec& spec) { spec.set_eta_schedule("50,0.01;70,zero"); },
      v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "spec.eta_schedule", "70,zero");
}

TEST_F(BadInput, ADatasetOverTheLimitOrUnknownIsRefused) {
  EXPECT_EQ(ReasonOf(service_.UploadTable(std::string(kDatasetLimit + 1, '1')).status()),
            v1::ERROR_REASON_DATASET_TOO_LARGE);
  ExpectRefused(
      "unknown", [](v1::RunSpec& spec) { spec.mutable_data()->set_dataset_id("none"); },
      v1::ERROR_REASON_DATASET_NOT_FOUND, "spec.data.dataset_id", "Upload");
  ExpectRefused(
      "upwards", [](v1::RunSpec& spec) { spec.mutable_data()->set_file("../run.db"); },
      v1::ERROR_REASON_FILE_NAME_INVALID, "spec.data.file", "files");
  ExpectRefused(
      "no such file", [](v1::RunSpec& spec) { spec.mutable_data()->set_file("none.csv"); },
      v1::ERROR_REASON_FILE_NOT_FOUND, "spec.data.file", "none.csv");
}

TEST_F(BadInput, ARunIdThatIsTakenOrMalformedIsRefused) {
  ASSERT_TRUE(service_.Start(service_.XorSpec(), 0, "taken").ok());
  EXPECT_EQ(ReasonOf(service_.Start(service_.XorSpec(), 0, "taken").status()), v1::ERROR_REASON_RUN_ALREADY_EXISTS);
  for (const char* id : {"Upper", "../x", "a b", "-x"}) {
    EXPECT_EQ(ReasonOf(service_.Start(service_.XorSpec(), 0, id).status()), v1::ERROR_REASON_RUN_ID_INVALID) << id;
  }
}

TEST_F(BadInput, ControlsThatMakeNoSenseAreRefusedAndTheRunIsUntouched) {
  const std::string run = service_.StartXor(50);
  Watcher watcher(service_.stub(), FromTheStart(run));
  ASSERT_TRUE(watcher.WaitForIdle(50));
  const auto before = service_.State(run);
  const uint64_t sequence = before->run().last_sequence();
  for (const double eta : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_EQ(ReasonOf(service_.SetEta(run, eta).status()), v1::ERROR_REASON_ETA_INVALID) << eta;
  }
  EXPECT_EQ(ReasonOf(service_.BatchTo(run, -1).status()), v1::ERROR_REASON_TARGET_INVALID);
  EXPECT_EQ(ReasonOf(service_.SetKnob(run, "momentum", 0.9).status()), v1::ERROR_REASON_KNOB_UNKNOWN);
  EXPECT_EQ(ReasonOf(service_.SetKnob(run, "loss_interval", -1).status()), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(service_.SetKnob(run, "loss_every", 0.5).status()), v1::ERROR_REASON_KNOB_OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(service_.SetKnob(run, "eta", 0).status()), v1::ERROR_REASON_ETA_INVALID);
  const auto after = service_.State(run);
  EXPECT_EQ(after->run().last_sequence(), sequence);
  EXPECT_EQ(after->run().eta(), 0.1);
  EXPECT_EQ(after->run().batch(), 50);
}

TEST_F(BadInput, AnUnknownRunIsRefusedByEveryCall) {
  const auto unknown = v1::ERROR_REASON_RUN_NOT_FOUND;
  EXPECT_EQ(ReasonOf(service_.SetEta("nobody", 0.1).status()), unknown);
  EXPECT_EQ(ReasonOf(service_.SetKnob("nobody", "eta", 0.1).status()), unknown);
  EXPECT_EQ(ReasonOf(service_.BatchTo("nobody", 1).status()), unknown);
  EXPECT_EQ(ReasonOf(service_.Stop("nobody").status()), unknown);
  EXPECT_EQ(ReasonOf(service_.State("nobody").status()), unknown);
  EXPECT_EQ(ReasonOf(service_.Predict("nobody", {1, 2}, 2).status()), unknown);
  Watcher watcher(service_.stub(), FromNow("nobody"));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(watcher.WaitForEnd())), unknown);
}

TEST_F(BadInput, ArraysOfTheWrongShapeAreRefusedByPredictAliveAndEnded) {
  const std::string run = service_.StartXor(10);
  EXPECT_EQ(ReasonOf(service_.Predict(run, {1, 2, 3}, 3).status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
  EXPECT_EQ(ReasonOf(service_.Predict(run, {1, std::nan("")}, 2).status()), v1::ERROR_REASON_DATA_MALFORMED);
  ASSERT_TRUE(service_.Stop(run).ok());
  EXPECT_EQ(ReasonOf(service_.Predict(run, {1, 2, 3}, 3).status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

TEST_F(BadInput, AMessageOverTheSizeLimitIsRefused) {
  const std::string run = service_.StartXor(10);
  const std::vector<double> too_much(kMaxPredictBytes / sizeof(double) + 2, 0.5);
  EXPECT_EQ(ReasonOf(service_.Predict(run, too_much, 2).status()), v1::ERROR_REASON_REQUEST_TOO_LARGE);
  const std::vector<double> far_too_much(kMaxMessageBytes / sizeof(double) + 2, 0.5);
  EXPECT_EQ(service_.Predict(run, far_too_much, 2).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(service_.SetEta(run, 0.2).ok());
}

}  // namespace
}  // namespace pilothouse::testing
