#include "trainer/data/npz.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
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

// Names that are likely meant as one of these, in any case of their letters.
constexpr struct {
  absl::string_view written;
  absl::string_view meant;
} kLikelyNames[] = {
    {"input", "inputs"},          {"inputs", "inputs"},          {"target", "targets"},  {"targets", "targets"},
    {"label", "targets"},         {"labels", "targets"},         {"y", "targets"},       {"weight", "weights"},
    {"sample_weight", "weights"}, {"sample_weights", "weights"}, {"weights", "weights"},
};

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

template <size_t kCount>
bool IsOneOf(const absl::string_view (&names)[kCount], absl::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// That no array would be left out whose name looks as if it were meant to be read.
absl::Status CheckNames(const std::vector<ZipMember>& arrays) {
  for (const ZipMember& array : arrays) {
    const absl::string_view name = array.name;
    if (IsOneOf(kInputNames, name) || IsOneOf(kTargetNames, name) || IsOneOf(kWeightNames, name)) continue;
    for (const auto& [written, meant] : kLikelyNames) {
      if (!absl::EqualsIgnoreCase(name, written)) continue;
      return MakeError(
          v1::ERROR_REASON_DATA_MALFORMED, "data",
          absl::StrCat("The NPZ file has an array named ", name, ", which would not be read. If it is the ", meant,
                       ", name it ", meant, "; else give it a name that does not look like that."),
          {{"array", array.name}, {"expected", std::string(meant)}});
    }
  }
  return absl::OkStatus();
}

// The one array that has one of these names; null if none has.
template <size_t kCount>
absl::StatusOr<const ZipMember*> FindArray(const std::vector<ZipMember>& arrays,
                                           const absl::string_view (&names)[kCount]) {
  const ZipMember* found = nullptr;
  for (const ZipMember& array : arrays) {
    if (!IsOneOf(names, array.name)) continue;
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

// The members that a run is made of.
struct Arrays {
  ZipMember inputs;
  ZipMember targets;
  std::optional<ZipMember> weights;
};

absl::StatusOr<Arrays> FindArrays(const std::vector<ZipMember>& arrays, RunAge age) {
  if (age == RunAge::kNew) {
    if (absl::Status status = CheckNames(arrays); !status.ok()) return status;
  }
  const absl::StatusOr<const ZipMember*> inputs = FindArray(arrays, kInputNames);
  if (!inputs.ok()) return inputs.status();
  const absl::StatusOr<const ZipMember*> targets = FindArray(arrays, kTargetNames);
  if (!targets.ok()) return targets.status();
  const absl::StatusOr<const ZipMember*> weights = FindArray(arrays, kWeightNames);
  if (!weights.ok()) return weights.status();
  if (*inputs == nullptr || *targets == nullptr) {
    return RefuseArrays(arrays, absl::StrCat("has no array of ", *inputs == nullptr ? "inputs" : "targets"));
  }
  return Arrays{**inputs, **targets, *weights == nullptr ? std::nullopt : std::optional(**weights)};
}

// For a new run, nothing is unpacked before all of it is known to be little enough. Each array alone always is.
absl::StatusOr<Dataset> ReadAll(InputFile& file, const Arrays& arrays, RunAge age) {
  std::vector<ZipMember> members = {arrays.inputs, arrays.targets};
  if (arrays.weights.has_value()) members.push_back(*arrays.weights);
  if (age == RunAge::kNew) {
    if (absl::Status status = CheckInflatedBytes(members); !status.ok()) return status;
  }
  absl::StatusOr<NumberTable> inputs = ReadMember(file, arrays.inputs, "inputs", 2);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<NumberTable> targets = ReadMember(file, arrays.targets, "targets", 1);
  if (!targets.ok()) return targets.status();
  if (!arrays.weights.has_value()) return PairRows(*std::move(inputs), *std::move(targets));
  absl::StatusOr<NumberTable> weights = ReadMember(file, *arrays.weights, "weights", 1);
  if (!weights.ok()) return weights.status();
  return PairRows(*std::move(inputs), *std::move(targets), *std::move(weights));
}

// The first field of DataSpec that chooses columns, or nothing.
absl::string_view ChosenField(const ColumnChoice& columns) {
  if (!columns.targets.empty()) return "target_columns";
  if (columns.weight.has_value()) return "weight_column";
  return columns.ignored.empty() ? "" : "ignored_columns";
}

}  // namespace

absl::StatusOr<Dataset> ReadNpz(InputFile& file, const ColumnChoice& columns, RunAge age) {
  absl::StatusOr<std::vector<ZipMember>> members = ReadZipDirectory(file);
  if (!members.ok()) return members.status();
  const std::vector<ZipMember> arrays = ArraysIn(*std::move(members));
  if (arrays.size() == 1) {
    const absl::StatusOr<std::unique_ptr<ByteReader>> reader = OpenZipMember(file, arrays[0]);
    if (!reader.ok()) return reader.status();
    return ReadNpyTable(**reader, columns);
  }
  const absl::StatusOr<Arrays> found = FindArrays(arrays, age);
  if (!found.ok()) return found.status();
  if (const absl::string_view field = ChosenField(columns); !field.empty()) {
    return MakeError(v1::ERROR_REASON_SPEC_INVALID, absl::StrCat("data.", field),
                     absl::StrCat("The targets of this NPZ file are its array ", found->targets.name, ", and its ",
                                  "weights the array weights, if there is one; leave ", field, " away."));
  }
  return ReadAll(file, *found, age);
}

}  // namespace pilothouse::trainer
