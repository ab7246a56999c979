// A run's data in words: its parts, and how they were made. Pure and thread-safe; all text is safe for a terminal (see
// Printable).
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_DATA_OUTPUT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_DATA_OUTPUT_H_

#include <string>
#include <vector>

#include "pilothouse/v1/run.pb.h"

namespace pilothouse::client {

// "1,078 examples, 359 held out and 180 kept for the end".
std::string ExamplesText(const v1::RunFacts& facts);

// "stratified"; of what nothing says, the method that is used then.
std::string SplitWord(const v1::RunSpec& spec);

// What was held out, as people write it: "20%", "0.2", "300". Empty: nothing.
std::string ValidationText(const v1::DataSpec& data);

// Rows of RunPage for what is not as usual: {"inputs", "age, size"}, {"split", "stratified, seed 3"},
// {"weights", "column sales"}, {"ignored", "column id"}, {"threads", "2"}.
std::vector<std::vector<std::string>> UnusualRows(const v1::Run& run);

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_DATA_OUTPUT_H_
