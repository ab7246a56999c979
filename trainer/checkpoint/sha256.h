// SHA-256 of what comes piece by piece.
#ifndef PILOTHOUSE_TRAINER_CHECKPOINT_SHA256_H_
#define PILOTHOUSE_TRAINER_CHECKPOINT_SHA256_H_

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace pilothouse::trainer {

// Not thread-safe.
class Sha256 {
 public:
  Sha256();

  void Add(absl::string_view piece);
  // Of all that was added, as 64 lower-case hexadecimal digits. To be called once, as the last thing.
  std::string Finish();

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHECKPOINT_SHA256_H_
