#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "trainer/net/network_spec.h"

namespace pilothouse::trainer {
namespace {

constexpr char kField[] = "network.shorthand";

constexpr std::pair<char, Activation> kActivationLetters[] = {
    {'t', Activation::kTanh},      {'r', Activation::kRelu}, {'s', Activation::kSigmoid}, {'g', Activation::kGelu},
    {'l', Activation::kLeakyRelu}, {'u', Activation::kSilu}, {'p', Activation::kSoftplus}};

constexpr char kLayerNormLetter = 'n';
constexpr char kBatchNormLetter = 'b';
constexpr char kDropoutLetter = 'd';

// Reads from left to right; the cursor is where an error would be found.
class ShorthandParser {
 public:
  explicit ShorthandParser(absl::string_view text) : text_(text) {}

  absl::StatusOr<NetworkSpec> Parse() {
    if (text_.size() > static_cast<size_t>(kMaxShorthandCharacters)) {
      cursor_ = kMaxShorthandCharacters;
      return Refuse(absl::StrCat("it is longer than ", kMaxShorthandCharacters, " characters"));
    }
    NetworkSpec network;
    absl::StatusOr<int64_t> inputs = ParseWidth();
    if (!inputs.ok()) return inputs.status();
    if (ParseActivation().has_value()) {
      --cursor_;
      return Refuse("the first width is the number of inputs and takes no activation");
    }
    if (AtEnd()) return Refuse("there must be at least two widths, as in 64x10");
    while (!AtEnd()) {
      absl::StatusOr<int64_t> outputs = ParseLayer(*inputs, network.layers);
      if (!outputs.ok()) return outputs.status();
      inputs = outputs;
    }
    return network;
  }

 private:
  bool AtEnd() const { return cursor_ == text_.size(); }

  // Appends what one "x<width><letters><rate>" stands for and returns the width.
  absl::StatusOr<int64_t> ParseLayer(int64_t inputs, std::vector<Layer>& layers) {
    if (text_[cursor_] != 'x') return Refuse("only x may follow here");
    ++cursor_;
    const size_t start = cursor_;
    absl::StatusOr<int64_t> outputs = ParseWidth();
    if (!outputs.ok()) return outputs;
    layers.push_back(AffineLayer{inputs, *outputs});
    if (TakeLetter(kLayerNormLetter)) {
      layers.push_back(LayerNormLayer{*outputs});
    } else if (TakeLetter(kBatchNormLetter)) {
      layers.push_back(BatchNormLayer{*outputs});
    }
    if (const std::optional<Activation> activation = ParseActivation()) layers.push_back(MapLayer{*activation});
    if (TakeLetter(kDropoutLetter)) {
      const absl::StatusOr<double> rate = ParseRate();
      if (!rate.ok()) return rate.status();
      layers.push_back(DropoutLayer{*rate});
    }
    if (layers.size() > static_cast<size_t>(kMaxLayers)) {
      cursor_ = start;
      return Refuse(
          absl::StrCat("a network has at most ", kMaxLayers, " layers, norms, activations and dropouts counted"));
    }
    return outputs;
  }

  absl::StatusOr<int64_t> ParseWidth() {
    const size_t start = cursor_;
    while (!AtEnd() && absl::ascii_isdigit(text_[cursor_])) ++cursor_;
    if (cursor_ == start) return Refuse("a width must stand here");
    int64_t width = 0;
    const bool fits = absl::SimpleAtoi(text_.substr(start, cursor_ - start), &width);
    if (!fits || width < 1 || width > kMaxLayerWidth) {
      cursor_ = start;
      return Refuse(absl::StrCat("a width lies between 1 and ", kMaxLayerWidth));
    }
    return width;
  }

  bool TakeLetter(char letter) {
    if (AtEnd() || text_[cursor_] != letter) return false;
    ++cursor_;
    return true;
  }

  absl::StatusOr<double> ParseRate() {
    const size_t start = cursor_;
    while (!AtEnd() && (absl::ascii_isdigit(text_[cursor_]) || text_[cursor_] == '.')) ++cursor_;
    double rate = 0;
    const bool is_number = absl::SimpleAtod(text_.substr(start, cursor_ - start), &rate);
    if (is_number && rate < 1) return rate;
    cursor_ = start;
    return Refuse("the rate of a dropout must stand here, a number from 0 up to, but not with, 1, such as 0.5");
  }

  // Takes the letter of an activation, if one stands here.
  std::optional<Activation> ParseActivation() {
    for (const auto& [letter, activation] : kActivationLetters) {
      if (TakeLetter(letter)) return activation;
    }
    return std::nullopt;
  }

  absl::Status Refuse(absl::string_view why) const {
    const std::string position = absl::StrCat(cursor_ + 1);
    return MakeError(
        v1::ERROR_REASON_NET_INVALID, kField,
        absl::StrCat("The network's shorthand is malformed at character ", position, ": ", why,
                     ". Write widths separated by x, each but the first followed by n, b or nothing, then by "
                     "t, r, s, g, l, u, p or nothing, then by d and a rate or nothing, as in 64x128rx10 "
                     "or 64x128nrd0.5x10."),
        {{"position", position}});
  }

  absl::string_view text_;
  size_t cursor_ = 0;
};

}  // namespace

absl::StatusOr<NetworkSpec> ParseShorthand(absl::string_view shorthand) { return ShorthandParser(shorthand).Parse(); }

}  // namespace pilothouse::trainer
