// How large a report is, before it is made a message.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_REPORT_SIZE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_REPORT_SIZE_H_

#include <cstdint>

#include "trainer/loop/report.h"

namespace pilothouse::trainer {

// About how many bytes a report takes in memory, and at least those of its message unless its texts are not UTF-8;
// without the state vector, whose size the run knows. Pure and thread-safe.
int64_t SizeOf(const Report& report);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_REPORT_SIZE_H_
