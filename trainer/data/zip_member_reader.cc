#include "trainer/data/zip_member_reader.h"

#include <zlib.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/data/printable.h"

namespace pilothouse::trainer {
namespace {

constexpr int64_t kPackedBlockBytes = 64 << 10;

absl::Status Refuse(const ZipMember& member) {
  return MakeError(v1::ERROR_REASON_DATA_MALFORMED, "data",
                   absl::StrCat("The array \"", Printable(member.name),
                                "\" of the NPZ file is damaged: its bytes are not those that were packed."),
                   {{"array", Printable(member.name)}});
}

// What both kinds of members have in common: where they stand, and the checksum.
class MemberReader : public ByteReader {
 public:
  MemberReader(InputFile& file, ZipMember member, int64_t begin, int64_t piece_bytes)
      : file_(file), member_(std::move(member)), begin_(begin), piece_bytes_(piece_bytes) {}

  int64_t size_bytes() const override { return member_.bytes; }
  int64_t position() const override { return position_; }

  absl::StatusOr<int64_t> Read(char* to, int64_t bytes) override {
    const int64_t wanted = std::min(bytes, member_.bytes - position_);
    for (int64_t done = 0; done < wanted;) {
      const int64_t piece = std::min(wanted - done, piece_bytes_);
      if (absl::Status status = ReadPiece(to + done, piece); !status.ok()) return status;
      done += piece;
    }
    const bool at_end = position_ == member_.bytes;
    if (at_end && (crc_ != member_.crc || !IsComplete())) return Refuse(member_);
    return wanted;
  }

 protected:
  // Gives `bytes` bytes, no more than zlib can count, fewer only if there are no more.
  virtual absl::StatusOr<int64_t> Unpack(char* to, int64_t bytes) = 0;
  // Whether all that was packed has been given.
  virtual bool IsComplete() = 0;

  InputFile& file_;
  const ZipMember member_;
  const int64_t begin_;

 private:
  absl::Status ReadPiece(char* to, int64_t bytes) {
    const absl::StatusOr<int64_t> got = Unpack(to, bytes);
    if (!got.ok()) return got.status();
    crc_ = static_cast<uint32_t>(crc32(crc_, reinterpret_cast<const Bytef*>(to), static_cast<uInt>(*got)));
    position_ += *got;
    return *got == bytes ? absl::OkStatus() : Refuse(member_);
  }

  const int64_t piece_bytes_;
  int64_t position_ = 0;
  uint32_t crc_ = 0;
};

class StoredReader final : public MemberReader {
 public:
  using MemberReader::MemberReader;

  absl::StatusOr<std::shared_ptr<const char>> Map() override {
    absl::StatusOr<std::shared_ptr<const char>> map = file_.Map();
    if (!map.ok()) return map.status();
    return std::shared_ptr<const char>(*map, map->get() + begin_);
  }

 private:
  absl::StatusOr<int64_t> Unpack(char* to, int64_t bytes) override { return file_.Read(to, bytes); }
  bool IsComplete() override { return true; }
};

class DeflatedReader final : public MemberReader {
 public:
  DeflatedReader(InputFile& file, ZipMember member, int64_t begin, int64_t piece_bytes)
      : MemberReader(file, std::move(member), begin, piece_bytes), block_(static_cast<size_t>(kPackedBlockBytes)) {
    // Without the header that zlib has and ZIP has not.
    ended_ = inflateInit2(&stream_, -MAX_WBITS) != Z_OK;
  }
  DeflatedReader(const DeflatedReader&) = delete;
  DeflatedReader& operator=(const DeflatedReader&) = delete;
  ~DeflatedReader() override { inflateEnd(&stream_); }

  absl::StatusOr<std::shared_ptr<const char>> Map() override { return std::shared_ptr<const char>(); }

 private:
  absl::StatusOr<int64_t> Unpack(char* to, int64_t bytes) override {
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(bytes);
    while (stream_.avail_out > 0 && !ended_) {
      if (absl::Status status = Step(); !status.ok()) return status;
    }
    return bytes - static_cast<int64_t>(stream_.avail_out);
  }

  // The end of a stream may take a step more than its last byte.
  bool IsComplete() override {
    Bytef none = 0;
    stream_.next_out = &none;
    stream_.avail_out = 1;
    while (!ended_ && stream_.avail_out > 0 && Step().ok()) {
    }
    return complete_ && stream_.avail_out == 1;
  }

  // Reads on if everything was used, and inflates some of it. Sets `ended_` if no more can come.
  absl::Status Step() {
    if (stream_.avail_in == 0) {
      const int64_t wanted = std::min(kPackedBlockBytes, member_.packed_bytes - read_);
      const absl::StatusOr<int64_t> got = file_.Read(block_.data(), wanted);
      if (!got.ok()) return got.status();
      read_ += *got;
      stream_.next_in = reinterpret_cast<Bytef*>(block_.data());
      stream_.avail_in = static_cast<uInt>(*got);
    }
    const int result = inflate(&stream_, Z_NO_FLUSH);
    complete_ = result == Z_STREAM_END;
    // Where there is nothing to read and nothing comes, Z_BUF_ERROR says so.
    ended_ = result != Z_OK;
    return absl::OkStatus();
  }

  z_stream stream_ = {};
  std::vector<char> block_;
  int64_t read_ = 0;
  bool ended_ = false;
  bool complete_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteReader>> MakeZipMemberReader(InputFile& file, const ZipMember& member, int64_t begin,
                                                                int64_t piece_bytes) {
  if (absl::Status status = file.Seek(begin); !status.ok()) return status;
  if (member.deflated) return std::make_unique<DeflatedReader>(file, member, begin, piece_bytes);
  return std::make_unique<StoredReader>(file, member, begin, piece_bytes);
}

}  // namespace pilothouse::trainer
