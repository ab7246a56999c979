#include "trainer/plugin/builtin/builtin_kinds.h"

#include "trainer/plugin/builtin/average.h"
#include "trainer/plugin/builtin/checkpoint.h"
#include "trainer/plugin/builtin/early_stopping.h"
#include "trainer/plugin/builtin/eta_schedule.h"
#include "trainer/plugin/builtin/exchange.h"
#include "trainer/plugin/builtin/notify.h"
#include "trainer/plugin/builtin/reduce_eta.h"
#include "trainer/plugin/builtin/save_best.h"
#include "trainer/plugin/builtin/statistics.h"
#include "trainer/plugin/builtin/stop_after.h"
#include "trainer/plugin/builtin/stop_when.h"
#include "trainer/plugin/builtin/validate.h"

namespace pilothouse::trainer {

PluginKinds BuiltInPluginKinds() {
  PluginKinds kinds;
  kinds.Register(AverageKind());
  kinds.Register(CheckpointKind());
  kinds.Register(EarlyStoppingKind());
  kinds.Register(EtaScheduleKind());
  kinds.Register(ExchangeKind());
  kinds.Register(NotifyKind());
  kinds.Register(ReduceEtaKind());
  kinds.Register(SaveBestKind());
  kinds.Register(StatisticsKind());
  kinds.Register(StopAfterKind());
  kinds.Register(StopWhenKind());
  kinds.Register(ValidateKind());
  return kinds;
}

}  // namespace pilothouse::trainer
