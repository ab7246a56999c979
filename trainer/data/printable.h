// Text from files, made fit for messages.
#ifndef PILOTHOUSE_TRAINER_DATA_PRINTABLE_H_
#define PILOTHOUSE_TRAINER_DATA_PRINTABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// `text` as valid UTF-8 without control characters ("?" in place of what is neither), cut after 40 bytes with "…".
std::string Printable(absl::string_view text);

// The names, each made printable, separated by commas; of more than 20 the first 20 and "…".
std::string PrintableList(const std::vector<std::string>& names);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_PRINTABLE_H_
