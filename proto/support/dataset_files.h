// What the data that a service holds for its runs are called, below its data directory. The service stores them so; a
// trainer that replays a run without a service finds them so.
#ifndef PILOTHOUSE_PROTO_SUPPORT_DATASET_FILES_H_
#define PILOTHOUSE_PROTO_SUPPORT_DATASET_FILES_H_

namespace pilothouse {

// What was uploaded: a folder for each dataset, named by its id.
inline constexpr char kDatasetsFolder[] = "datasets";
// What an operator put there.
inline constexpr char kDataFilesFolder[] = "files";

// In a dataset's folder: one table,
inline constexpr char kCsvTableFile[] = "table.csv";
inline constexpr char kTsvTableFile[] = "table.tsv";
inline constexpr char kNpzTableFile[] = "table.npz";
inline constexpr char kNpyTableFile[] = "table.npy";
inline constexpr const char* kTableFiles[] = {kCsvTableFile, kTsvTableFile, kNpzTableFile, kNpyTableFile};
// or arrays, of which the weights may be missing.
inline constexpr char kInputsFile[] = "inputs.npy";
inline constexpr char kTargetsFile[] = "targets.npy";
inline constexpr char kWeightsFile[] = "weights.npy";

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_DATASET_FILES_H_
