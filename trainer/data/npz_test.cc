#include "trainer/data/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/npy_header.h"
#include "trainer/data/table_values.h"
#include "trainer/data/temporary_file.h"
#include "trainer/data/zip_archive.h"

namespace pilothouse::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Npy(const std::string& shape, const std::vector<float>& values) {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }\n";
  std::string file(kNpyMagic);
  file += std::string("\x01\x00", 2) + static_cast<char>(header.size()) + '\0' + header;
  return file + std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string Number(uint64_t number, size_t size) {
  std::string bytes(size, '\0');
  std::memcpy(bytes.data(), &number, std::min(size, sizeof(number)));
  return bytes;
}

std::string Deflated(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A member, and what its directory entry says where that is not the truth.
struct Member {
  std::string name = {};
  std::string contents = {};
  bool deflated = false;
  int64_t claimed_bytes = -1;
  uint64_t method = 99;
  uint64_t flags = 0;
  bool in_64_bits = false;
  uint32_t crc_error = 0;
};

std::string Zip(const std::vector<Member>& members, const std::string& comment = "") {
  std::string file;
  std::string directory;
  for (const Member& member : members) {
    const std::string packed = member.deflated ? Deflated(member.contents) : member.contents;
    const auto* const bytes = reinterpret_cast<const Bytef*>(member.contents.data());
    const uint64_t crc = crc32(0, bytes, static_cast<uInt>(member.contents.size())) ^ member.crc_error;
    const uint64_t method = member.method != 99 ? member.method : member.deflated ? 8 : 0;
    const uint64_t size =
        member.claimed_bytes < 0 ? member.contents.size() : static_cast<uint64_t>(member.claimed_bytes);
    const bool wide = member.in_64_bits;
    const std::string extra =
        wide ? Number(1, 2) + Number(24, 2) + Number(size, 8) + Number(packed.size(), 8) + Number(file.size(), 8) : "";
    const uint64_t elsewhere = 0xFFFFFFFF;
    absl::StrAppend(&directory, "PK\x01\x02", Number(0x2d, 2), Number(0x2d, 2), Number(member.flags, 2),
                    Number(method, 2), Number(0, 4), Number(crc, 4), Number(wide ? elsewhere : packed.size(), 4));
    absl::StrAppend(&directory, Number(wide ? elsewhere : size, 4), Number(member.name.size(), 2),
                    Number(extra.size(), 2), Number(0, 10), Number(wide ? elsewhere : file.size(), 4), member.name,
                    extra);
    absl::StrAppend(&file, kZipMagic, Number(0x2d, 2), Number(member.flags, 2), Number(method, 2), Number(0, 4),
                    Number(crc, 4), Number(packed.size(), 4), Number(size, 4));
    absl::StrAppend(&file, Number(member.name.size(), 2), Number(5, 2), member.name, "extra", packed);
  }
  const std::string end =
      absl::StrCat("PK\x05\x06", Number(0, 4), Number(members.size(), 2), Number(members.size(), 2),
                   Number(directory.size(), 4), Number(file.size(), 4), Number(comment.size(), 2), comment);
  return file + directory + end;
}

absl::StatusOr<Dataset> Read(const std::string& bytes, const std::vector<std::string>& targets = {},
                             RunAge age = RunAge::kNew) {
  const TemporaryFile file(bytes);
  return ReadTable(file.path(), {targets}, nullptr, age);
}

const std::string& Inputs() {
  static const std::string npy = Npy("(3, 2)", {1, 2, 3, 4, 5, 6});
  return npy;
}
const std::string& Labels() {
  static const std::string npy = Npy("(3,)", {0, 1, 2});
  return npy;
}

TEST(Npz, PairsInputsAndTargetsHoweverTheyAreNamedAndPacked) {
  for (const bool deflated : {false, true}) {
    for (const bool wide : {false, true}) {
      for (const char* inputs : {"inputs", "x", "X"}) {
        for (const char* targets : {"targets", "y"}) {
          const auto data = Read(Zip(
              {{.name = absl::StrCat(targets, ".npy"), .contents = Labels(), .deflated = deflated},
               {.name = "notes.txt", .contents = "Some words."},
               {.name = absl::StrCat(inputs, ".npy"), .contents = Inputs(), .deflated = deflated, .in_64_bits = wide},
               {.name = "others.npy", .contents = "no array at all"}},
              "a comment"));
          ASSERT_TRUE(data.ok()) << data.status();
          EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 3, 4, 5, 6));
          EXPECT_THAT(Values(data->targets), ElementsAre(0, 1, 2));
        }
      }
    }
  }
}

TEST(Npz, MayHaveWeights) {
  const Member x{.name = "x.npy", .contents = Inputs()};
  const Member y{.name = "y.npy", .contents = Labels()};
  const Member weights{.name = "weights.npy", .contents = Npy("(3, 1)", {0.5, 0, 2}), .deflated = true};
  const auto data = Read(Zip({weights, x, y}));
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(data->weights, ElementsAre(0.5, 0, 2));
  const TemporaryFile file(Zip({x, y, weights}));
  const auto refused = ReadTable(file.path(), {{}, "1"});
  EXPECT_EQ(ReasonOf(refused.status()), v1::ERROR_REASON_SPEC_INVALID);
  EXPECT_EQ(ToError(refused.status()).field(), "data.weight_column");
  const Member fewer{.name = "weights.npy", .contents = Npy("(2,)", {1, 1})};
  EXPECT_EQ(ReasonOf(Read(Zip({x, y, fewer})).status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

TEST(Npz, OneArrayIsATable) {
  for (const bool deflated : {false, true}) {
    const std::string file = Zip({{.name = "arr_0.npy", .contents = Inputs(), .deflated = deflated}});
    const auto data = Read(file, {"1"});
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(2, 4, 6));
    EXPECT_THAT(Values(data->targets), ElementsAre(1, 3, 5));
    EXPECT_EQ(ReasonOf(Read(file, {"3"}).status()), v1::ERROR_REASON_COLUMN_NOT_FOUND);
  }
}

TEST(Npz, UnpacksMoreThanOneBlock) {
  std::vector<float> values(300'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 1009);
  const auto data = Read(Zip({{.name = "t.npy", .contents = Npy("(100000, 3)", values), .deflated = true}}));
  ASSERT_TRUE(data.ok()) << data.status();
  for (const int64_t row : {0, 1, 50'000, 99'999}) {
    EXPECT_EQ(data->inputs.At(row, 1), values[static_cast<size_t>(3 * row + 1)]);
    EXPECT_EQ(data->targets.At(row, 0), values[static_cast<size_t>(3 * row + 2)]);
  }
}

TEST(Npz, SaysWhichArraysThereAre) {
  const Member x{.name = "x.npy", .contents = Inputs()};
  const Member inputs{.name = "inputs.npy", .contents = Inputs()};
  const Member y{.name = "y.npy", .contents = Labels()};
  const Member z{.name = "z\n.npy", .contents = Labels()};
  const struct {
    std::vector<Member> members;
    std::string said;
  } cases[] = {{{}, "there are: none"},
               {{{.name = "a.txt", .contents = "x"}}, "there are: none"},
               {{x, z}, "has no array of targets"},
               {{z, y}, "has no array of inputs"},
               {{x, z}, "x, z?"},
               {{x, inputs, y}, "has both an array x and an array inputs"},
               {{x, y, y}, "has both an array y and an array y"}};
  for (const auto& [members, said] : cases) {
    // A file without members is recognised as one of text.
    const auto data = Read(members.empty() ? Zip({{.name = "none", .contents = ""}}) : Zip(members));
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << said;
    EXPECT_THAT(ToError(data.status()).message(), HasSubstr(said));
  }
  EXPECT_EQ(ReasonOf(Read(Zip({x, y}), {"1"}).status()), v1::ERROR_REASON_SPEC_INVALID);
  const Member longer{.name = "y.npy", .contents = Npy("(4,)", {0, 1, 2, 3})};
  EXPECT_EQ(ReasonOf(Read(Zip({x, longer})).status()), v1::ERROR_REASON_ARRAY_SHAPE_INVALID);
}

// A table under one name, damaged as `member` says.
std::string Damaged(Member member) {
  member.name = "t.npy";
  if (member.contents.empty()) member.contents = Inputs();
  return Zip({member});
}

TEST(Npz, RefusesWhatItsDirectoryLiesAbout) {
  const auto huge = static_cast<int64_t>(kMaxInflatedBytes);
  const struct {
    std::string file;
    std::string said;
  } cases[] = {
      {Damaged({.deflated = true, .claimed_bytes = 200}), "damaged"},
      {Damaged({.deflated = true, .claimed_bytes = 20}), "damaged"},
      {Damaged({.deflated = true, .claimed_bytes = huge, .in_64_bits = true}),
       "larger than its packed bytes can become"},
      {Damaged({.claimed_bytes = 10}), "directory does not fit the file"},
      {Damaged({.claimed_bytes = huge}), "directory does not fit the file"},
      {Damaged({.deflated = true, .crc_error = 1}), "not those that were packed"},
      {Damaged({.crc_error = 1}), "not those that were packed"},
      {Damaged({.contents = "no deflated bytes at all", .method = 8}), "not those that were packed"},
      {Damaged({.flags = 1}), "encrypted"},
      {Damaged({.method = 14}), "packed in a way that is not known here"},
  };
  for (const auto& [file, said] : cases) {
    const auto data = Read(file);
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << said;
    EXPECT_THAT(ToError(data.status()).message(), HasSubstr(said));
  }
}

Member Claiming(const std::string& name, int64_t bytes) {
  return {.name = name, .contents = Inputs(), .deflated = true, .claimed_bytes = bytes, .in_64_bits = true};
}

TEST(Npz, SaysWhatIsTooLarge) {
  const int64_t half = kMaxInflatedBytes / 2;
  const struct {
    std::vector<Member> members;
    std::string said;
  } cases[] = {
      {{Claiming("t.npy", kMaxInflatedBytes + 1)}, "what it has as t would become more than 4294967296 bytes"},
      {{Claiming("t.npy", INT64_MAX)}, "what it has as t would"},
      {{Claiming("x.npy", half), Claiming("y.npy", half + 1)}, "what it has as x, y would become more than 4294967296"},
      {{Claiming("x.npy", half), Claiming("y.npy", half), Claiming("weights.npy", 1)}, "as x, y, weights would"},
      {{Claiming("x.npy", INT64_MAX), Claiming("y.npy", INT64_MAX)}, "as x, y would"},
  };
  for (const auto& [members, said] : cases) {
    const auto data = Read(Zip(members));
    ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATASET_TOO_LARGE) << data.status();
    EXPECT_THAT(ToError(data.status()).message(), AllOf(StartsWith("The NPZ file is too large: "), HasSubstr(said)));
    EXPECT_EQ(ToError(data.status()).metadata().at("limit_bytes"), absl::StrCat(kMaxInflatedBytes));
  }
  // What is stored is not unpacked, and of what is not read it does not matter how large it is.
  const Member x{.name = "x.npy", .contents = Inputs()};
  const Member y{.name = "y.npy", .contents = Labels(), .deflated = true};
  EXPECT_TRUE(Read(Zip({x, y, Claiming("others.npy", kMaxInflatedBytes)})).ok());
  EXPECT_EQ(ReasonOf(Read(Zip({x, Claiming("y.npy", kMaxInflatedBytes)})).status()), v1::ERROR_REASON_DATA_MALFORMED)
      << "not too large, but a lie";

  std::vector<Member> many(static_cast<size_t>(kMaxZipMembers) + 1, {.name = "a.npy"});
  const auto refused = Read(Zip(many));
  ASSERT_EQ(ReasonOf(refused.status()), v1::ERROR_REASON_DATASET_TOO_LARGE);
  EXPECT_THAT(ToError(refused.status()).message(), HasSubstr("too large: it lists 4097 arrays in "));
}

TEST(Npz, RefusesNamesThatLookAsIfTheyWereMeant) {
  const Member x{.name = "x.npy", .contents = Inputs()};
  const Member y{.name = "y.npy", .contents = Labels()};
  const struct {
    std::string name;
    std::string meant;
  } cases[] = {
      {"weight", "weights"}, {"sample_weight", "weights"}, {"Sample_Weights", "weights"}, {"Weights", "weights"},
      {"target", "targets"}, {"label", "targets"},         {"labels", "targets"},         {"Y", "targets"},
      {"input", "inputs"},   {"INPUTS", "inputs"}};
  for (const auto& [name, meant] : cases) {
    const Member other{.name = name + ".npy", .contents = Labels()};
    for (const std::vector<Member>& members : {std::vector<Member>{x, y, other}, std::vector<Member>{other, x}}) {
      const auto data = Read(Zip(members));
      ASSERT_EQ(ReasonOf(data.status()), v1::ERROR_REASON_DATA_MALFORMED) << name;
      EXPECT_THAT(ToError(data.status()).message(), HasSubstr("an array named " + name + ", which would not be read"));
      EXPECT_EQ(ToError(data.status()).metadata().at("expected"), meant);
    }
    EXPECT_TRUE(Read(Zip({{.name = name + ".npy", .contents = Inputs()}})).ok()) << "alone, it is a table";
    EXPECT_TRUE(Read(Zip({x, y, {.name = name + ".txt", .contents = "words"}})).ok()) << "no array";
  }
}

TEST(Npz, OldRunsGetWhatTheyBeganWith) {
  const Member x{.name = "x.npy", .contents = Inputs()};
  const Member y{.name = "y.npy", .contents = Labels()};
  for (const char* name : {"weight.npy", "labels.npy", "Y.npy", "Inputs.npy"}) {
    const auto data = Read(Zip({x, y, {.name = name, .contents = Labels()}}), {}, RunAge::kOld);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(data->inputs), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(Values(data->targets), ElementsAre(0, 1, 2));
    EXPECT_TRUE(data->weights.empty()) << name;
  }
  // Each array alone may be as large as these say they are. That they lie is found out when they are opened.
  const std::string together = Zip({Claiming("x.npy", kMaxInflatedBytes), Claiming("y.npy", kMaxInflatedBytes)});
  EXPECT_EQ(ReasonOf(Read(together).status()), v1::ERROR_REASON_DATASET_TOO_LARGE);
  EXPECT_EQ(ReasonOf(Read(together, {}, RunAge::kOld).status()), v1::ERROR_REASON_DATA_MALFORMED);
  for (const std::string& file :
       {Zip({Claiming("x.npy", kMaxInflatedBytes + 1), y}), Zip({x, Claiming("y.npy", kMaxInflatedBytes + 1)}),
        Zip({Claiming("t.npy", kMaxInflatedBytes + 1)})}) {
    EXPECT_EQ(ReasonOf(Read(file, {}, RunAge::kOld).status()), v1::ERROR_REASON_DATASET_TOO_LARGE);
  }
}

TEST(Npz, RefusesABombBeforeItAllocates) {
  // 16 MiB of zeros are 16 KiB when they are deflated; the array's header tells of eight times 2^60 more.
  const std::string header = Npy("(1152921504606846976, 2)", {});
  const auto lie = Read(Damaged({.contents = header + std::string(16 << 20, '\0'), .deflated = true}));
  EXPECT_EQ(ReasonOf(lie.status()), v1::ERROR_REASON_DATA_MALFORMED);
  const auto wraps =
      Read(Damaged({.contents = Npy("(9223372036854775807, 9223372036854775807)", {}), .deflated = true}));
  EXPECT_EQ(ReasonOf(wraps.status()), v1::ERROR_REASON_DATA_MALFORMED);
}

TEST(Npz, SurvivesEveryTruncationAndEveryChangedByte) {
  const std::string good = Zip({{.name = "x.npy", .contents = Inputs(), .deflated = true, .in_64_bits = true},
                                {.name = "y.npy", .contents = Labels()}});
  ASSERT_TRUE(Read(good).ok());
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(Read(good.substr(0, length)).ok()) << length;
  uint64_t random = 1;
  for (size_t position = 0; position < good.size(); ++position) {
    for (int i = 0; i < 4; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      std::string damaged = good;
      damaged[position] = static_cast<char>(random >> 56);
      const auto data = Read(damaged);
      if (data.ok()) {
        // Checksums see to it. Without the name of its array of targets, the file is a table.
        const bool is_table = data->inputs.columns == 1;
        EXPECT_EQ(Values(data->inputs),
                  is_table ? std::vector<double>({1, 3, 5}) : std::vector<double>({1, 2, 3, 4, 5, 6}))
            << position;
      } else {
        EXPECT_NE(ReasonOf(data.status()), v1::ERROR_REASON_UNSPECIFIED) << data.status();
      }
    }
  }
}

}  // namespace
}  // namespace pilothouse::trainer
