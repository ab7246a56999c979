// Between the loop's structures and the channel's messages. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_MESSAGES_H_
#define PILOTHOUSE_TRAINER_CHANNEL_MESSAGES_H_

#include "absl/status/statusor.h"
#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/channel/report_buffer.h"
#include "trainer/loop/control.h"
#include "trainer/loop/knobs.h"
#include "trainer/loop/learner.h"
#include "trainer/loop/report.h"
#include "trainer/net/number_array.h"

namespace pilothouse::trainer {

// SPEC_INVALID if it holds no change this trainer knows.
absl::StatusOr<Control> FromMessage(const v1::Control& control);

// A control as the journal holds it. SPEC_INVALID if this trainer knows no such change.
absl::StatusOr<Control> FromJournal(const v1::ControlReport& report);

// `event.sequence` is left unset.
v1::Report ToMessage(const NumberedReport& report);
v1::TrainerHeartbeat ToMessage(const Heartbeat& heartbeat);
v1::ControlRefused ToMessage(const Refusal& refusal);
v1::Tensor ToMessage(const NumberArray& array);
v1::Prepared ToMessage(const LearnerFacts& facts, const Knobs& knobs);
// With the state vector if the snapshot has a model.
v1::StateAnswer ToMessage(const RunSnapshot& snapshot);
v1::EvaluateAnswer ToMessage(const Validation& scores);
HeldOutPart FromMessage(v1::DataPart part);

// The elements of a tensor in its own precision. REQUIRES: CheckTensor is OK.
NumberArray ToNumberArray(const v1::Tensor& tensor);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_MESSAGES_H_
