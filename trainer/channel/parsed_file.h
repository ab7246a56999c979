// Copies of the text tables that a service's runs are trained on, parsed, so that each is parsed once and its numbers
// are mapped by all trainers that need them.
//
// They lie in `parsed` beside the service's runs, under the SHA-256 of the text: HASH-csv-1.npy, or -tsv- where the
// table's name says that tabs separate its fields; 1 is the version of this form. Where columns that a run ignores hold
// text, -without- and a hash of which these are follow: their text is 0 there. That is an NPY file of float64 and of
// shape [rows, columns]; HASH-csv-1.json says whose copy it is, and its size and SHA-256. Column names are not in it:
// whoever reads a table reads its first line from the text. Both files can be made again at any time, so that any of
// them may be missing, damaged or removed; nor are they synced, so a crash of the machine may do that.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_PARSED_FILE_H_
#define PILOTHOUSE_TRAINER_CHANNEL_PARSED_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/channel/parsed_folder.h"
#include "trainer/channel/run_data.h"
#include "trainer/data/npy.h"
#include "trainer/data/parsed_copy.h"

namespace pilothouse::trainer {

// The copy of one table. What goes wrong with it is logged, a line each, and leaves the table to be parsed. Any number
// of processes may use the same copy at the same time. Not thread-safe.
class ParsedFile final : public ParsedCopy {
 public:
  // Of the table at `text`, which has this SHA-256, in `folder`, which is made when it is needed. Numbers that take
  // fewer than `least_bytes` are not kept.
  ParsedFile(std::string folder, std::string text, std::string text_sha256, int64_t least_bytes = kLeastMappedBytes,
             const ParsedBounds& bounds = {});

  // The copy is mapped after all of it was read once, compared with its hash, and looked at as any NPY file is.
  std::optional<NumberTable> Find(const CsvForm& form) override;

  // Writes the copy: from the numbers as they lie in memory, without another copy there. Then maps it; memory is given
  // back with `parsed`. Returns `parsed` where that cannot be done.
  NumberTable Keep(const CsvForm& form, NumberTable parsed) override;

 private:
  std::string NameOf(const CsvForm& form) const;
  std::string PathOf(const CsvForm& form, absl::string_view ending) const;
  absl::StatusOr<NumberTable> Map(const CsvForm& form) const;
  absl::Status Write(const CsvForm& form, const NumberTable& parsed) const;

  const std::string folder_;
  const std::string text_;
  const std::string text_sha256_;
  const int64_t least_bytes_;
  const ParsedBounds bounds_;
};

// For the trainer of the run in this directory, DATA/runs/RUN_ID, whose data have this hash. Null where the directory
// is another, which is not a service's, or the data are not a table.
std::unique_ptr<ParsedCopy> ParsedCopyFor(const std::string& run_directory, const DataFiles& data,
                                          const std::string& data_sha256);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_PARSED_FILE_H_
