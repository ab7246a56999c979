// Options of CLI11 whose values are read by our own functions. Only the parts of the grammar should need this.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_OPTION_VALUES_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_OPTION_VALUES_H_

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pilothouse::client {

// CLI11's way of refusing a value. Caught in ParseCommandLine.
inline void Refuse(const std::string& name, const absl::Status& status) {
  throw CLI::ValidationError(name, std::string(status.message()));
}

// An option whose value goes through `parse` and is handed to `set`.
template <typename T, typename Set>
CLI::Option* AddValueTo(CLI::App* app, const std::string& name, absl::StatusOr<T> (*parse)(const std::string&), Set set,
                        const std::string& type, const std::string& description) {
  return app
      ->add_option_function<std::string>(
          name,
          [name, parse, set](const std::string& text) {
            absl::StatusOr<T> value = parse(text);
            if (!value.ok()) Refuse(name, value.status());
            set(*std::move(value));
          },
          description)
      ->type_name(type);
}

// The same, once for each time it is given.
template <typename T, typename Set>
CLI::Option* AddValuesTo(CLI::App* app, const std::string& name, absl::StatusOr<T> (*parse)(const std::string&),
                         const Set& set, const std::string& type, const std::string& description) {
  return app
      ->add_option_function<std::vector<std::string>>(
          name,
          [name, parse, set](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              absl::StatusOr<T> value = parse(text);
              if (!value.ok()) Refuse(name, value.status());
              set(*std::move(value));
            }
          },
          description)
      ->type_name(type)
      ->expected(1)
      ->take_all();
}

// An option whose value goes through `parse`.
template <typename T, typename Target>
CLI::Option* AddValue(CLI::App* app, const std::string& name, absl::StatusOr<T> (*parse)(const std::string&),
                      Target* target, const std::string& type, const std::string& description) {
  return AddValueTo(
      app, name, parse, [target](T value) { *target = std::move(value); }, type, description);
}

inline CLI::Option* AddText(CLI::App* app, const std::string& name, std::string* target, const std::string& type,
                            const std::string& description) {
  return app->add_option(name, *target, description)->type_name(type);
}

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_OPTION_VALUES_H_
