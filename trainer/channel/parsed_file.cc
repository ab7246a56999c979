#include "trainer/channel/parsed_file.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/log.h"
#include "trainer/checkpoint/file_hash.h"
#include "trainer/checkpoint/sha256.h"
#include "trainer/data/byte_reader.h"
#include "trainer/data/input_file.h"
#include "trainer/data/npy_header.h"

namespace pilothouse::trainer {
namespace {

namespace fs = std::filesystem;

// To be raised whenever the same text would give other numbers, or the files would look different.
constexpr int kParsedVersion = 1;
constexpr char kParsedFolder[] = "parsed";
constexpr char kRunsFolder[] = "runs";
// Of a hash that is part of a file's name.
constexpr size_t kShownHashDigits = 16;
// Longest file of facts that is read.
constexpr int64_t kMostFactsBytes = 4096;

// What is said about a copy, in its JSON file.
constexpr char kVersion[] = "version";
constexpr char kText[] = "text_sha256";
constexpr char kReadAs[] = "read_as";
constexpr char kPassedOver[] = "passed_over_sha256";
constexpr char kBytes[] = "bytes";
constexpr char kSha256[] = "sha256";

const char* NameOfDelimiter(CsvDelimiter delimiter) { return delimiter == CsvDelimiter::kTab ? "tsv" : "csv"; }

// There may be too many to be written down.
std::string HashOfColumns(const std::vector<int64_t>& columns) {
  Sha256 hash;
  hash.Add(absl::StrJoin(columns, ","));
  return hash.Finish();
}

absl::Status Damaged(absl::string_view why) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data", absl::StrCat(why, "."));
}

// Reads a file, and hashes what is read.
class HashingReader final : public ByteReader {
 public:
  explicit HashingReader(InputFile& file) : file_(file) {}

  int64_t size_bytes() const override { return file_.size_bytes(); }
  int64_t position() const override { return file_.position(); }
  absl::StatusOr<int64_t> Read(char* to, int64_t bytes) override {
    absl::StatusOr<int64_t> got = file_.Read(to, bytes);
    if (got.ok()) hash_.Add(absl::string_view(to, static_cast<size_t>(*got)));
    return got;
  }
  absl::StatusOr<std::shared_ptr<const char>> Map() override { return file_.Map(); }

  // To be called once, as the last thing.
  std::string Finish() { return hash_.Finish(); }

 private:
  InputFile& file_;
  Sha256 hash_;
};

absl::StatusOr<nlohmann::json> ReadFacts(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  std::string text(kMostFactsBytes, '\0');
  const absl::StatusOr<int64_t> got = file->Read(text.data(), kMostFactsBytes);
  if (!got.ok()) return got.status();
  text.resize(static_cast<size_t>(*got));
  nlohmann::json facts = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (facts.is_discarded()) return Damaged("what is written about it is not JSON");
  return facts;
}

nlohmann::json FactsOf(const std::string& text_sha256, const CsvForm& form, int64_t bytes, const std::string& sha256) {
  nlohmann::json facts = {{kVersion, kParsedVersion},
                          {kText, text_sha256},
                          {kReadAs, NameOfDelimiter(form.delimiter)},
                          {kBytes, bytes},
                          {kSha256, sha256}};
  if (!form.passed_over.empty()) facts[kPassedOver] = HashOfColumns(form.passed_over);
  return facts;
}

}  // namespace

ParsedFile::ParsedFile(std::string folder, std::string text, std::string text_sha256, int64_t least_bytes,
                       const ParsedBounds& bounds)
    : folder_(std::move(folder)),
      text_(std::move(text)),
      text_sha256_(std::move(text_sha256)),
      least_bytes_(least_bytes),
      bounds_(bounds) {}

std::string ParsedFile::NameOf(const CsvForm& form) const {
  const std::string name = absl::StrCat(text_sha256_, "-", NameOfDelimiter(form.delimiter), "-", kParsedVersion);
  if (form.passed_over.empty()) return name;
  return absl::StrCat(name, "-without-", HashOfColumns(form.passed_over).substr(0, kShownHashDigits));
}

std::string ParsedFile::PathOf(const CsvForm& form, absl::string_view ending) const {
  return absl::StrCat(folder_, "/", NameOf(form), ending);
}

absl::StatusOr<NumberTable> ParsedFile::Map(const CsvForm& form) const {
  const absl::StatusOr<nlohmann::json> facts = ReadFacts(PathOf(form, kParsedFacts));
  if (!facts.ok()) return facts.status();
  absl::StatusOr<InputFile> file = InputFile::Open(PathOf(form, kParsedNumbers));
  if (!file.ok()) return file.status();
  HashingReader reader(*file);
  absl::StatusOr<NumberTable> numbers = ReadNpyArray(reader, "parsed rows", /*least_dimensions=*/2, least_bytes_);
  if (!numbers.ok()) return numbers.status();
  // What ReadNpyArray() has read is the whole file, and what was mapped is the file that it has read.
  const nlohmann::json found = FactsOf(text_sha256_, form, reader.size_bytes(), reader.Finish());
  if (found != *facts) return Damaged("it is not what is written about it, or the copy of another table");
  if (numbers->columns != form.columns || numbers->stored->type != ElementType::kFloat64) {
    return Damaged(absl::StrCat("it is not one of ", form.columns, " columns of float64"));
  }
  return numbers;
}

std::optional<NumberTable> ParsedFile::Find(const CsvForm& form) {
  const std::string path = PathOf(form, kParsedNumbers);
  absl::StatusOr<NumberTable> numbers = Map(form);
  if (numbers.ok()) {
    NoteUse(folder_, NameOf(form));
    Log(absl::StrCat("the table's numbers are shared with other runs, as ", path));
    return *std::move(numbers);
  }
  if (ReasonOf(numbers.status()) != v1::ERROR_REASON_FILE_NOT_FOUND) {
    Log(absl::StrCat("the copy of the table's numbers, ", path, ", is not used: ", numbers.status().message()));
  }
  return std::nullopt;
}

absl::Status ParsedFile::Write(const CsvForm& form, const NumberTable& parsed) const {
  const std::string header = NpyHeaderOfFloat64(parsed.rows, parsed.columns);
  const auto number_bytes = static_cast<size_t>(parsed.rows * parsed.stored->row_bytes);
  const auto bytes = static_cast<int64_t>(header.size() + number_bytes);
  if (absl::Status made = MakeParsedFolder(folder_); !made.ok()) return made;
  if (absl::Status room = MakeRoom(folder_, NameOf(form), bytes, bounds_); !room.ok()) return room;
  // The text may have been replaced since it was hashed; then others would be given numbers that are not theirs.
  const absl::StatusOr<std::string> now = FileHash(text_);
  if (!now.ok()) return now.status();
  if (*now != text_sha256_) return Damaged("the table changed while it was read");
  const absl::string_view elements(parsed.stored->elements, number_bytes);
  const absl::StatusOr<std::string> sha256 = WriteParsed(PathOf(form, kParsedNumbers), {header, elements});
  if (!sha256.ok()) return sha256.status();
  const std::string facts = absl::StrCat(FactsOf(text_sha256_, form, bytes, *sha256).dump(2), "\n");
  return WriteParsed(PathOf(form, kParsedFacts), {facts}).status();
}

NumberTable ParsedFile::Keep(const CsvForm& form, NumberTable parsed) {
  if (parsed.rows * parsed.stored->row_bytes < least_bytes_) return parsed;
  if (const absl::Status written = Write(form, parsed); !written.ok()) {
    Log(absl::StrCat("the table's numbers are this run's own, and not kept in ", folder_,
                     " for others: ", written.message()));
    return parsed;
  }
  std::optional<NumberTable> kept = Find(form);
  return kept.has_value() ? *std::move(kept) : std::move(parsed);
}

std::unique_ptr<ParsedCopy> ParsedCopyFor(const std::string& run_directory, const DataFiles& data,
                                          const std::string& data_sha256) {
  const fs::path runs = fs::path(run_directory).parent_path();
  if (data.table.empty() || runs.filename() != kRunsFolder) return nullptr;
  return std::make_unique<ParsedFile>(runs.parent_path() / kParsedFolder, data.table, data_sha256);
}

}  // namespace pilothouse::trainer
