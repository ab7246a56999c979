#include "trainer/plugin/builtin/builtin_kinds.h"

#include "trainer/plugin/builtin/average.h"
#include "trainer/plugin/builtin/exchange.h"
#include "trainer/plugin/builtin/statistics.h"

namespace pilothouse::trainer {

PluginKinds BuiltInPluginKinds() {
  PluginKinds kinds;
  kinds.Register(AverageKind());
  kinds.Register(ExchangeKind());
  kinds.Register(StatisticsKind());
  return kinds;
}

}  // namespace pilothouse::trainer
