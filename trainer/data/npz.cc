#include "trainer/data/npz.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "trainer/data/npy.h"
#include "trainer/data/printable.h"
#include "trainer/data/zip_archive.h"

namespace pilothouse::trainer {
namespace {

constexpr absl::string_view kInputNames[] = {"inputs", "x", "X"};
constexpr absl::string_view kTargetNames[] = {"targets", "y"};
constexpr absl::string_view kWeightNames[] = {"weights"};

absl::Status RefuseArrays(const std::vector<ZipMember>& arrays, absl::string_view why) {
  std::vector<std::string> names;
  for (const ZipMember& array : arrays) names.push_back(array.name);
  const std::string known = PrintableList(names);
  return MakeError(
      v1::ERROR_REASON_DATA_MALFORMED, "data",
      absl::StrCat("The NPZ file ", why, ". Needed are either one array, the table, or one named inputs, x ",
                   "or X and one named targets or y; there are: ", known.empty() ? "none" : known, "."),
      {{"arrays", known}});
}

// The members that are arrays, by the names that NumPy knows them by.
std::vector<ZipMember> ArraysIn(std::vector<ZipMember> members) {
  std::vector<ZipMember> arrays;
  for (ZipMember& member : members) {
    absl::string_view name = member.name;
    if (!absl::ConsumeSuffix(&name, ".npy")) continue;
    member.name = std::string(name);
    arrays.push_back(std::move(member));
  }
  return arrays;
}

// The one array that has one of these names; null if none has.
template <size_t kCount>
absl::StatusOr<const ZipMember*> FindArray(const std::vector<ZipMember>& arrays,
                                           const absl::string_view (&names)[kCount]) {
  const ZipMember* found = nullptr;
  for (const ZipMember& array : arrays) {
    if (std::find(std::begin(names), std::end(names), array.name) == std::end(names)) continue;
    if (found != nullptr) {
      return RefuseArrays(arrays, absl::StrCat("has both an array ", found->name, " and an array ", array.name));
    }
    found = &array;
  }
  return found;
}

absl::StatusOr<NumberTable> ReadMember(InputFile& file, const ZipMember& member, const std::string& what,
                                       int least_dimensions) {
  const absl::StatusOr<std::unique_ptr<ByteReader>> reader = OpenZipMember(file, member);
  if (!reader.ok()) return reader.status();
  return ReadNpyArray(**reader, what, least_dimensions);
}

}  // namespace

absl::StatusOr<Dataset> ReadNpz(InputFile& file, const std::vector<std::string>& target_columns,
                                const std::optional<std::string>& weight_column) {
  absl::StatusOr<std::vector<ZipMember>> members = ReadZipDirectory(file);
  if (!members.ok()) return members.status();
  const std::vector<ZipMember> arrays = ArraysIn(*std::move(members));
  const absl::StatusOr<const ZipMember*> inputs = FindArray(arrays, kInputNames);
  if (!inputs.ok()) return inputs.status();
  const absl::StatusOr<const ZipMember*> targets = FindArray(arrays, kTargetNames);
  if (!targets.ok()) return targets.status();
  if (arrays.size() == 1) {
    const absl::StatusOr<std::unique_ptr<ByteReader>> reader = OpenZipMember(file, arrays[0]);
    if (!reader.ok()) return reader.status();
    return ReadNpyTable(**reader, target_columns, weight_column);
  }
  if (*inputs == nullptr || *targets == nullptr) {
    return RefuseArrays(arrays, absl::StrCat("has no array of ", *inputs == nullptr ? "inputs" : "targets"));
  }
  if (!target_columns.empty() || weight_column.has_value()) {
    const absl::string_view field = target_columns.empty() ? "weight_column" : "target_columns";
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, absl::StrCat("data.", field),
                     absl::StrCat("The targets of this NPZ file are its array ", (*targets)->name, ", and its weights ",
                                  "the array weights, if there is one; leave ", field, " away."));
  }
  const absl::StatusOr<const ZipMember*> weights = FindArray(arrays, kWeightNames);
  if (!weights.ok()) return weights.status();
  absl::StatusOr<NumberTable> read_inputs = ReadMember(file, **inputs, "inputs", 2);
  if (!read_inputs.ok()) return read_inputs.status();
  absl::StatusOr<NumberTable> read_targets = ReadMember(file, **targets, "targets", 1);
  if (!read_targets.ok()) return read_targets.status();
  if (*weights == nullptr) return PairRows(*std::move(read_inputs), *std::move(read_targets));
  absl::StatusOr<NumberTable> read_weights = ReadMember(file, **weights, "weights", 1);
  if (!read_weights.ok()) return read_weights.status();
  return PairRows(*std::move(read_inputs), *std::move(read_targets), *std::move(read_weights));
}

}  // namespace pilothouse::trainer
