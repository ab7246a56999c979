// What a local file of data is.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_DATA_FILE_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_DATA_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "pilothouse/v1/dataset.pb.h"

namespace pilothouse::client {

// NPY and NPZ as the file's first bytes say; of text, TSV if it is named *.tsv or *.tab, or if its first line has tabs
// and no commas; else CSV. Nothing else of the file is looked at. NOT_FOUND and the like, without a reason, if it
// cannot be read. Thread-safe.
absl::StatusOr<v1::DatasetFormat> DataFormatOf(const std::string& path);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOTHOUSE_CLIENT_DATA_FILE_H_
