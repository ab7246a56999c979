#include "trainer/plugin/builtin/finite_output.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace pilothouse::trainer {

void AddFinite(PluginOutput& output, absl::string_view name, double value) {
  if (std::isfinite(value)) {
    output.values.emplace_back(std::string(name), value);
  } else {
    absl::StrAppend(&output.message, output.message.empty() ? "" : "; ", name, " is ", value);
  }
}

}  // namespace pilothouse::trainer
