// Examples in NPZ files: ZIP files of NPY arrays, as numpy.savez and numpy.savez_compressed write them.
//
// An array named "inputs", "x" or "X" and one named "targets" or "y" are a run's inputs and targets, and one named
// "weights" is the weights of their rows, if there is one. What else is in the file does not matter, unless its name
// looks as if it were meant for one of these, such as "weight" or "labels": that is refused to a new run, so that no
// weights are left out unnoticed, and passed over for an old one. A file with one array, whatever its name, is a table.
#ifndef PILOTHOUSE_TRAINER_DATA_NPZ_H_
#define PILOTHOUSE_TRAINER_DATA_NPZ_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace pilothouse::trainer {

// Reads `file`. A large array that is stored as it is stays there, mapped, as that of an NPY file does; a deflated one
// is unpacked into memory. Errors: those of ReadNpyArray and ReadNpyTable, DATA_MALFORMED also for a damaged archive,
// for one whose arrays are not those above, and for two arrays that could both be the inputs, or the targets;
// DATASET_TOO_LARGE before anything is unpacked if all that would be is more than kMaxInflatedBytes (zip_archive.h),
// or for an old run, before an array that alone would be; SPEC_INVALID where columns are chosen though the
// targets are an array of their own.
absl::StatusOr<Dataset> ReadNpz(InputFile& file, const ColumnChoice& columns, RunAge age = RunAge::kNew);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_DATA_NPZ_H_
