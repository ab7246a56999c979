// What a plugin remembers, as one text: words with spaces between them.
#ifndef PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_MEMORY_H_
#define PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// Not thread-safe.
class MemoryWriter {
 public:
  void Integer(int64_t value);
  // Exact, whatever the number is.
  void Number(double value);
  // REQUIRES: not empty, and without spaces.
  void Word(absl::string_view word);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Reads what MemoryWriter wrote, in the same order. What cannot be read is 0 or empty, and told by Finish. Not
// thread-safe.
class MemoryReader {
 public:
  explicit MemoryReader(absl::string_view text);

  int64_t Integer();
  double Number();
  std::string Word();

  // PLUGIN_INVALID if anything could not be read, or something is left.
  absl::Status Finish() const;

 private:
  std::vector<std::string> words_;
  size_t next_ = 0;
  bool fits_ = true;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_PLUGIN_BUILTIN_MEMORY_H_
