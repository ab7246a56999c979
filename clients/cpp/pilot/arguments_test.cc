// From the command line to requests.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cpp/pilot/command_line.h"
#include "clients/cpp/pilot/parse_line.h"
#include "clients/cpp/pilot/requests.h"
#include "clients/cpp/pilot/values.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

TEST(StartArguments, BecomeARequest) {
  const Arguments arguments = Parse(
      "start --net 2x2tx1t --dataset d1 --loss half_mse --eta 0.5 --batch-size full --keep-order --precision float64 "
      "--seed 18446744073709551615 --initializer normal --initial-state -0.1,0.2 --loss-interval 100ms --loss-every 7 "
      "--state-every 9 --batch-to 50 --name xor --target-column a --target-column -1 --standardize");
  const v1::StartRunRequest request = BuildStartRequest(arguments.start, "");
  EXPECT_EQ(request.run_id(), "xor");
  EXPECT_EQ(request.target(), 50);
  const v1::RunSpec& spec = request.spec();
  EXPECT_EQ(spec.network().shorthand(), "2x2tx1t");
  EXPECT_EQ(spec.network().initializer(), v1::INITIALIZER_NORMAL);
  EXPECT_EQ(ToDoubles(spec.network().initial_state()), (std::vector<double>{-0.1, 0.2}));
  EXPECT_EQ(spec.data().dataset_id(), "d1");
  EXPECT_TRUE(spec.data().standardize());
  ASSERT_EQ(spec.data().target_columns_size(), 2);
  EXPECT_EQ(spec.data().target_columns(1), "-1");
  EXPECT_EQ(spec.loss(), v1::LOSS_FUNCTION_HALF_MSE);
  EXPECT_EQ(spec.eta(), 0.5);
  EXPECT_TRUE(spec.full_batch());
  EXPECT_FALSE(spec.has_batch_size());
  EXPECT_TRUE(spec.keep_order());
  EXPECT_EQ(spec.precision(), v1::PRECISION_FLOAT64);
  EXPECT_EQ(spec.seed(), 18446744073709551615u);
  EXPECT_EQ(spec.report().loss_interval().nanos(), 100000000);
  EXPECT_EQ(spec.report().loss_every(), 7);
  EXPECT_EQ(spec.report().state_every(), 9);
}

TEST(StartArguments, LeaveUnsetWhatWasNotSaid) {
  const v1::StartRunRequest request =
      BuildStartRequest(Parse("start --net 2x1 --server-file a/b.csv --loss mse").start, "");
  EXPECT_EQ(request.spec().data().file(), "a/b.csv");
  EXPECT_FALSE(request.has_target());
  EXPECT_FALSE(request.spec().has_eta());
  EXPECT_FALSE(request.spec().has_batch_size());
  EXPECT_FALSE(request.spec().report().has_loss_interval());
  EXPECT_FALSE(request.spec().network().has_initial_state());
  const Arguments uploaded = Parse("start --net 2x1 --dataset x --loss mse --batch-size 8");
  EXPECT_EQ(BuildStartRequest(uploaded.start, "").spec().batch_size(), 8);
}

TEST(StartArguments, TakeAnOptimizerWithItsSettings) {
  const absl::StatusOr<v1::OptimizerSpec> spec = ParseOptimizer("  adam beta1=0.95\tweight_decay=1e-2 ");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->kind(), v1::OPTIMIZER_KIND_ADAM);
  EXPECT_EQ(spec->settings().size(), 2u);
  EXPECT_EQ(spec->settings().at("beta1"), 0.95);
  EXPECT_EQ(spec->settings().at("weight_decay"), 0.01);
  const Arguments plain = Parse("start --net 2x1 --dataset x --loss mse --optimizer Gradient_Descent");
  EXPECT_EQ(BuildStartRequest(plain.start, "").spec().optimizer().kind(), v1::OPTIMIZER_KIND_GRADIENT_DESCENT);
  const Arguments without = Parse("start --net 2x1 --dataset x --loss mse");
  EXPECT_FALSE(BuildStartRequest(without.start, "").spec().has_optimizer());
}

TEST(StartArguments, TakeAnEtaScheduleAsItIs) {
  const Arguments plain = Parse("start --net 2x1 --dataset x --loss mse --eta-schedule 50,0.01;70,0.005");
  EXPECT_EQ(BuildStartRequest(plain.start, "").spec().eta_schedule(), "50,0.01;70,0.005");
  const auto worded = ParseCommandLine(
      {"start", "--net", "2x1", "--dataset", "x", "--loss", "mse", "--eta-schedule", "cosine over=9 unit=batches"});
  ASSERT_TRUE(std::holds_alternative<Arguments>(worded));
  EXPECT_EQ(BuildStartRequest(std::get<Arguments>(worded).start, "").spec().eta_schedule(),
            "cosine over=9 unit=batches");
}

TEST(StartArguments, RefuseWhatIsNoOptimizer) {
  const std::pair<const char*, const char*> wrong[] = {{"", "one of gradient-descent, momentum"},
                                                       {"adammm", "one of gradient-descent, momentum"},
                                                       {"adam beta1", "momentum=0.9"},
                                                       {"adam beta1=fast", "a finite number"},
                                                       {"adam beta1=0.5 beta1=0.6", "is given twice"},
                                                       {"adam eta=0.1", "--eta"},
                                                       {"beta1=0.5 adam", "one of gradient-descent, momentum"}};
  for (const auto& [text, part] : wrong) {
    EXPECT_TRUE(absl::StrContains(ParseOptimizer(text).status().message(), part)) << text;
  }
}

// So that what the protocol gets, the command line and its completion get too.
TEST(StartArguments, NameEveryLossAndInitializerOfTheProtocol) {
  const google::protobuf::EnumDescriptor& losses = *v1::LossFunction_descriptor();
  for (int i = 1; i < losses.value_count(); ++i) {
    const absl::StatusOr<v1::LossFunction> loss = ParseLoss(losses.value(i)->name().substr(sizeof("LOSS_FUNCTION")));
    ASSERT_TRUE(loss.ok()) << loss.status();
    EXPECT_EQ(*loss, losses.value(i)->number());
  }
  const google::protobuf::EnumDescriptor& initializers = *v1::Initializer_descriptor();
  for (int i = 1; i < initializers.value_count(); ++i) {
    const std::string name = initializers.value(i)->name().substr(sizeof("INITIALIZER"));
    const absl::StatusOr<v1::Initializer> initializer = ParseInitializer(name);
    ASSERT_TRUE(initializer.ok()) << initializer.status();
    EXPECT_EQ(*initializer, initializers.value(i)->number());
  }
}

TEST(StartArguments, NeedExactlyOneSourceOfData) {
  EXPECT_TRUE(absl::StrContains(Refusal("start --net 2x1 --loss mse"), "one source"));
  EXPECT_EQ(Refusal("start --net 2x1 --net 3x1 --loss mse --dataset a"),
            "--net is given more than once; give it once. See pilot start --help.");
  EXPECT_TRUE(absl::StrContains(Refusal("start --net 2x1 --loss mse --dataset a --server-file b"), "one source"));
  EXPECT_TRUE(absl::StrContains(Refusal("start --net 2x1 --loss mse --inputs /dev/null"), "--inputs"));
}

TEST(StartArguments, AreRefusedWhereTheyMakeNoSense) {
  const std::string begin = "start --net 2x1 --dataset a --loss ";
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "accuracy"), "cross-entropy"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --eta 0"), "above 0"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --eta nan"), "finite"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --eta inf"), "finite"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --batch-size 0"), "full"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --loss-interval -1s"), "time"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --initial-state 1,x"), "commas"));
  EXPECT_TRUE(absl::StrContains(Refusal(begin + "mse --seed -1"), "whole number"));
}

TEST(ChangeArguments, LetEtaFollowItsSchedule) {
  const Arguments given = Parse("set-eta digits schedule --at-batch 7");
  EXPECT_EQ(given.run, "digits");
  EXPECT_EQ(given.change.change.knob().name(), "eta");
  EXPECT_TRUE(given.change.change.knob().follow_schedule());
  EXPECT_FALSE(Parse("set-eta 0.1").change.change.knob().follow_schedule());
  EXPECT_TRUE(absl::StrContains(Refusal("set-eta digits scheduled"), "or schedule"));
}

TEST(ChangeArguments, TakeTheRunOrLeaveItOut) {
  const Arguments with = Parse("set-eta digits 0.01");
  EXPECT_EQ(with.command, Command::kSetEta);
  EXPECT_EQ(with.run, "digits");
  EXPECT_EQ(with.change.change.knob().value(), 0.01);
  const Arguments without = Parse("set-eta 0.01 --at-batch 7 --note why --request-id id1");
  EXPECT_EQ(without.run, "");
  EXPECT_EQ(without.change.change.knob().name(), "eta");
  EXPECT_EQ(without.change.options.at_batch, 7);
  EXPECT_EQ(without.change.options.note, "why");
  EXPECT_EQ(without.change.options.request_id, "id1");
  EXPECT_EQ(Parse("set loss_every 3").change.change.knob().name(), "loss_every");
  const Arguments knob = Parse("set digits momentum -0.5");
  EXPECT_EQ(knob.run, "digits");
  EXPECT_EQ(knob.change.change.knob().value(), -0.5);
  EXPECT_EQ(Parse("pause digits").run, "digits");
  EXPECT_TRUE(Parse("pause").change.change.target().has_pause());
  EXPECT_TRUE(Parse("resume").change.change.target().has_resume());
  EXPECT_TRUE(Parse("stop").change.change.has_stop());
}

TEST(ChangeArguments, TargetsAreABatchOrSoManyMore) {
  EXPECT_EQ(Parse("start --net 2x1 --data /dev/null --loss mse --batch-to +50").start.batch_to, 50);
  EXPECT_EQ(Parse("batch-to 5000").change.change.target().batch(), 5000);
  EXPECT_EQ(Parse("batch-to digits +50").change.change.target().more(), 50);
  EXPECT_EQ(Parse("batch-to 9007199254740992").change.change.target().batch(), int64_t{1} << 53);
  for (const std::string wrong : {"50.5", "-5", "+0", "+", "nan", "5k", "9007199254740993", "1e3"}) {
    const std::string sentence = Refusal("batch-to " + wrong);
    EXPECT_TRUE(absl::StrContains(sentence, "whole number of batches")) << sentence;
    EXPECT_TRUE(absl::StrContains(sentence, "\"" + wrong + "\"")) << sentence;
  }
}

TEST(ChangeArguments, AreRefusedWhereTheyMakeNoSense) {
  for (const std::string wrong : {"0", "-1", "nan", "inf", "fast"}) {
    EXPECT_TRUE(absl::StrContains(Refusal("set-eta digits " + wrong), "finite number above 0"));
  }
  EXPECT_TRUE(absl::StrContains(Refusal("set-eta"), "needs the new eta"));
  EXPECT_TRUE(absl::StrContains(Refusal("set eta"), "set"));
  EXPECT_TRUE(absl::StrContains(Refusal("set-eta a b 1"), "3 arguments"));
  EXPECT_TRUE(absl::StrContains(Refusal("stop --at-batch -1"), "whole number"));
}

TEST(GlobalArguments, MayStandBeforeAndBehindTheCommand) {
  setenv("PILOTHOUSE_ADDRESS", "gpu-box:1", 1);
  EXPECT_EQ(Parse("runs").global.address, "gpu-box:1");
  EXPECT_EQ(Parse("--address other:2 runs").global.address, "other:2");
  const Arguments behind = Parse("runs --address other:2 --json --timeout 1500ms");
  EXPECT_EQ(behind.global.address, "other:2");
  EXPECT_TRUE(behind.global.json);
  EXPECT_EQ(behind.global.timeout, absl::Milliseconds(1500));
  unsetenv("PILOTHOUSE_ADDRESS");
  EXPECT_EQ(Parse("runs").global.address, "localhost:50051");
  EXPECT_EQ(Parse("runs --timeout 3").global.timeout, absl::Seconds(3));
}

TEST(CommandLine, NamesWhatItDoesNotKnow) {
  EXPECT_TRUE(absl::StrContains(Refusal("train"), "no command train"));
  EXPECT_TRUE(absl::StrContains(Refusal("runs --al"), "--al"));
  EXPECT_TRUE(absl::StrContains(Refusal(""), "--help"));
}

TEST(CommandLine, ExplainsEveryCommand) {
  const std::string help = Help("--help");
  for (const std::string& name : CommandNames()) {
    EXPECT_TRUE(absl::StrContains(help, "  " + name + " ")) << name;
    EXPECT_TRUE(absl::StartsWith(Help(name + " --help"), "Usage: pilot " + name)) << name;
  }
  EXPECT_TRUE(absl::StrContains(help, "130 interrupted"));
  EXPECT_TRUE(absl::StartsWith(Help("--version"), "pilot "));
}

TEST(WatchArguments, BecomeOptions) {
  v1::Run alive;
  alive.set_status(v1::RUN_STATUS_TRAINING);
  alive.set_last_sequence(8000);
  const WatchArguments plain = Parse("watch digits").watch;
  EXPECT_FALSE(BuildWatchOptions(plain, alive, false).after_sequence.has_value());
  EXPECT_EQ(BuildWatchOptions(plain, alive, true).after_sequence, 3000u);
  v1::Run ended = alive;
  ended.set_status(v1::RUN_STATUS_STOPPED);
  EXPECT_EQ(BuildWatchOptions(plain, ended, false).after_sequence, 0u);
  EXPECT_EQ(BuildWatchOptions(Parse("watch --from-start").watch, alive, false).after_sequence, 0u);
  const WatchArguments given =
      Parse("watch --after-sequence 7 --kinds loss,control --min-interval 2s --give-up 1m").watch;
  const WatchOptions options = BuildWatchOptions(given, ended, true);
  EXPECT_EQ(options.after_sequence, 7u);
  EXPECT_EQ(options.kinds, (std::vector<v1::EventKind>{v1::EVENT_KIND_LOSS, v1::EVENT_KIND_CONTROL}));
  EXPECT_EQ(options.min_interval, absl::Seconds(2));
  EXPECT_EQ(options.give_up_after, absl::Minutes(1));
  Refusal("watch --after-sequence 7 --from-start");
  EXPECT_TRUE(absl::StrContains(Refusal("watch --kinds losses"), "loss, status, control, state, plugin, checkpoint"));
}

TEST(PredictArguments, NeedOneSourceOfInputs) {
  EXPECT_TRUE(absl::StrContains(Refusal("predict digits"), "one source"));
  EXPECT_EQ(Parse("predict digits --inputs /dev/null").predict.inputs, "/dev/null");
}

TEST(Durations, MayBeBareSeconds) {
  EXPECT_EQ(*ParseDuration("0.5"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("1m30s"), absl::Seconds(90));
  for (const std::string wrong : {"nan", "inf", "-1", "soon", "", "9999999h"}) {
    EXPECT_FALSE(ParseDuration(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace pilothouse::client
