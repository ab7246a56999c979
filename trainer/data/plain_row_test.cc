#include "trainer/data/plain_row.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/data/csv_record.h"

namespace pilothouse::trainer {
namespace {

// A text with the padding that a row needs.
class Padded {
 public:
  explicit Padded(const std::string& text) : size_(text.size()), bytes_(text + std::string(kPlainRowPadding, '\0')) {}
  const char* begin() const { return bytes_.data(); }
  const char* end() const { return bytes_.data() + size_; }

 private:
  size_t size_;
  std::string bytes_;
};

// What the plain way makes of a whole line; false where it refuses it.
bool ReadPlainly(absl::string_view line, int64_t columns, std::vector<double>& row) {
  if (line.empty() || line.back() != '\n') return false;
  line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  row.clear();
  CsvFields fields(line, ',');
  for (absl::string_view field; fields.Next(field);) {
    double value = 0;
    if (fields.malformed() || ParseNumber(field, value) != NumberKind::kFinite) return false;
    row.push_back(value);
  }
  return static_cast<int64_t>(row.size()) == columns;
}

bool SameBits(const std::vector<double>& one, const std::vector<double>& other) {
  return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(double)) == 0;
}

// Whether the row was read; whatever is read is what the plain way reads.
bool Check(const std::string& line, int64_t columns) {
  const Padded text(line);
  std::vector<double> row(static_cast<size_t>(columns));
  const char* const after = ParsePlainRow(text.begin(), text.end(), ',', columns, row.data());
  if (after == nullptr) return false;
  const std::string read(text.begin(), after);
  std::vector<double> plain;
  EXPECT_TRUE(ReadPlainly(read, columns, plain)) << read;
  EXPECT_TRUE(SameBits(row, plain)) << read;
  return true;
}

TEST(PlainRow, ReadsNumbersToTheLastBit) {
  for (const std::string number : {"0",
                                   "-0",
                                   "7",
                                   "12",
                                   "-3.25",
                                   "0.1",
                                   "-0.1",
                                   "3.",
                                   ".5",
                                   "-.5",
                                   "0.000001",
                                   "123456.789012",
                                   "00012.5000",
                                   "9007199254740992",
                                   "9007199254740993",
                                   "9007199254740993.0",
                                   "900719925474099.3",
                                   "9999999999999999999",
                                   "99999999999999999999",
                                   "18446744073709551617",
                                   "0.12345678901234567",
                                   "0.1234567890123456789012345",
                                   "0.00000000000000000000001",
                                   "1234567890.1234567890",
                                   "1e5",
                                   "1E-5",
                                   "-2.5e+3",
                                   "4.9e-324",
                                   "1.7976931348623157e308",
                                   "179769313486231570000000000000",
                                   "2.2250738585072011e-308",
                                   "8.41e21",
                                   "1e22",
                                   "0.30000000000000004",
                                   "6.02214076e23"}) {
    EXPECT_TRUE(Check(number + "\n", 1)) << number;
    EXPECT_TRUE(Check(absl::StrCat("1, ", number, " ,2\r\n"), 3)) << number;
    const Padded text(number + "\n");
    double value = 0;
    ParsePlainRow(text.begin(), text.end(), ',', 1, &value);
    EXPECT_EQ(value, std::strtod(number.c_str(), nullptr)) << number;
  }
}

TEST(PlainRow, LeavesEverythingElseToTheOtherWay) {
  for (const std::string line :
       {"",        "\n",        "1",       "1,2",     "1,2\r",      "1,2,3\n",   "1\n",     ",2\n",      "1,\n",
        "1,x\n",   "\"1\",2\n", "+1,2\n",  "1;2\n",   "-,2\n",      ".,2\n",     "1e,2\n",  "1e999,2\n", "nan,2\n",
        "inf,2\n", "0x10,2\n",  "1 2,3\n", "1\t,2\n", "1,2 \r\r\n", "1.2.3,4\n", "--1,2\n", "1,2\v\n",   "1_0,2\n"}) {
    EXPECT_FALSE(Check(line, 2)) << line;
  }
  EXPECT_FALSE(Check(std::string("1\0,2\n", 5), 2));
}

TEST(PlainRow, NeverReadsBeyondTheEnd) {
  const std::string line = "1.25,2.5\n";
  for (size_t length = 0; length < line.size(); ++length) EXPECT_FALSE(Check(line.substr(0, length), 2)) << length;
  EXPECT_TRUE(Check(line, 2));
}

TEST(PlainRow, SeparatesByTabs) {
  const Padded text("1\t-2.5\n");
  double row[2];
  EXPECT_EQ(ParsePlainRow(text.begin(), text.end(), '\t', 2, row), text.end());
  EXPECT_EQ(row[1], -2.5);
  EXPECT_EQ(ParsePlainRow(text.begin(), text.end(), ',', 2, row), nullptr);
}

TEST(PlainRow, ReadsWhateverPrintfWritesAsStrtodDoes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof(number));
    if (!(number - number == 0)) continue;
    const double small = static_cast<double>(static_cast<int64_t>(bits)) / 1e15;
    const int digits = static_cast<int>(bits % 20);
    for (const std::string& text : {absl::StrFormat("%.*g", digits, number), absl::StrFormat("%.*f", digits, small)}) {
      const Padded padded(text + "\n");
      double value = 0;
      if (ParsePlainRow(padded.begin(), padded.end(), ',', 1, &value) != padded.end()) {
        // Only what is too large or too close to 0 for from_chars.
        const double read = std::abs(std::strtod(text.c_str(), nullptr));
        ASSERT_TRUE(read > 1e308 || read < 2.3e-308) << text;
        continue;
      }
      ASSERT_EQ(value, std::strtod(text.c_str(), nullptr)) << text;
    }
  }
}

TEST(PlainRow, ReadsNothingThatTheOtherWayRefuses) {
  static constexpr absl::string_view kCharacters = "0123456789.,,,\n\r eE+-\" \t0";
  std::mt19937_64 random(2);
  int read = 0;
  for (int i = 0; i < 300'000; ++i) {
    std::string line;
    for (uint64_t length = random() % 24; length > 0; --length) line += kCharacters[random() % kCharacters.size()];
    line += '\n';
    read += Check(line, 1 + static_cast<int64_t>(random() % 3)) ? 1 : 0;
  }
  EXPECT_GT(read, 3000);
}

}  // namespace
}  // namespace pilothouse::trainer
