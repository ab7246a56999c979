#include "clients/cpp/pilothouse_client/npy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/support/error.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

// An NPY file of version 1.0 around a header and data, as numpy.save writes it.
std::string Npy(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + data;
}

TEST(Npy, ReadsBackWhatItWrote) {
  const v1::Tensor matrix = MakeTensor(std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2});
  const std::string bytes = WriteNpy(matrix);
  EXPECT_EQ((bytes.size() - matrix.data().size()) % 64, 0u);
  const absl::StatusOr<v1::Tensor> read = ParseNpy(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), matrix.SerializeAsString());
  const v1::Tensor vector = MakeTensor(std::vector<float>{1, 2}, {2});
  EXPECT_EQ(ParseNpy(WriteNpy(vector))->SerializeAsString(), vector.SerializeAsString());
}

TEST(Npy, TurnsWholeNumbersIntoDoubles) {
  const std::string data("\x01\xff", 2);
  const absl::StatusOr<v1::Tensor> read =
      ParseNpy(Npy("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }\n", data));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToDoubles(*read), (std::vector<double>{1, -1}));
}

TEST(Npy, RefusesWhatItCannotRead) {
  const std::string eight(8, '\0');
  EXPECT_EQ(ReasonOf(ParseNpy("1,2,3\n").status()), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(ReasonOf(ParseNpy("").status()), v1::ERROR_REASON_DATA_MALFORMED);
  const auto reason = [&eight](const std::string& header) { return ReasonOf(ParseNpy(Npy(header, eight)).status()); };
  EXPECT_EQ(reason("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }"), v1::ERROR_REASON_ARRAY_DTYPE_INVALID);
  EXPECT_EQ(reason("{'descr': '<f8', 'fortran_order': True, 'shape': (1, 1), }"), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(reason("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(reason("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(reason("{'descr': '<f8', 'shape': (1,), }"), v1::ERROR_REASON_DATA_MALFORMED);
  EXPECT_EQ(reason("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }"),
            v1::ERROR_REASON_DATA_MALFORMED);
}

}  // namespace
}  // namespace pilothouse::client
