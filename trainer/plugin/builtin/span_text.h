// Times in the grammar of schedules.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SPAN_TEXT_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SPAN_TEXT_H_

#include <string>

#include "trainer/plugin/timeline.h"

namespace pilothouse::trainer {

// `ticks` in the timeline's unit, as a schedule on that timeline takes it: "500", "2.5", "0.000000001". Exact.
std::string SpanText(Timeline timeline, Ticks ticks);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_SPAN_TEXT_H_
