// Reading an EtaSchedule from its text.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "proto/support/text.h"
#include "trainer/optim/eta_schedule.h"

namespace pilothouse::trainer {
namespace {

constexpr double kMaxFactor = 1000;
// Of a part that is quoted in a sentence.
constexpr size_t kMaxQuotedBytes = 80;
constexpr char kUnit[] = "unit";

absl::Status Invalid(absl::string_view what) {
  return MakeError(v1::ERROR_REASON_ETA_SCHEDULE_INVALID, "eta_schedule", what);
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", Shortened(text, kMaxQuotedBytes), "\""); }

std::optional<double> ReadFinite(absl::string_view text) {
  double value = 0;
  const bool fits = absl::SimpleAtod(text, &value) && std::isfinite(value);
  return fits ? std::optional<double>(value) : std::nullopt;
}

std::optional<double> ReadAboveZero(absl::string_view text) {
  const std::optional<double> value = ReadFinite(text);
  return value > 0 ? value : std::nullopt;
}

std::optional<double> ReadFromZero(absl::string_view text) {
  const std::optional<double> value = ReadFinite(text);
  return value >= 0 ? value : std::nullopt;
}

// The settings of a form, each of which is taken at most once; whoever takes none is told what there is.
class Settings {
 public:
  static absl::StatusOr<Settings> Read(const std::vector<std::string>& words) {
    Settings settings;
    for (const std::string& word : words) {
      const std::vector<std::string> halves = absl::StrSplit(word, absl::MaxSplits('=', 1));
      if (halves.size() != 2) return Invalid(absl::StrCat(Quoted(word), " is no setting: write name=value."));
      if (!settings.values_.emplace(halves[0], halves[1]).second) {
        return Invalid(absl::StrCat(Quoted(halves[0]), " is given twice: leave one of them out."));
      }
    }
    return settings;
  }

  absl::StatusOr<EtaSchedule::Unit> TakeUnit() {
    known_.push_back(kUnit);
    const auto found = values_.find(kUnit);
    if (found == values_.end()) return EtaSchedule::Unit::kEpochs;
    const std::string value = found->second;
    values_.erase(found);
    if (value == "epochs") return EtaSchedule::Unit::kEpochs;
    if (value == "batches") return EtaSchedule::Unit::kBatches;
    return Invalid(absl::StrCat("unit is epochs or batches; got ", Quoted(value), "."));
  }

  // These replace `target` if the setting is there, and keep the first error for Finish.
  void TakeAboveZero(const std::string& name, double& target, absl::string_view example = "") {
    Take(name, ReadAboveZero, absl::StrCat("above 0", example), target);
  }
  void TakeFromZero(const std::string& name, double& target) { Take(name, ReadFromZero, "of 0 or more", target); }

  // OK if every setting was one that the form has, and could be read.
  absl::Status Finish(absl::string_view form) const {
    if (!error_.ok() || values_.empty()) return error_;
    return Invalid(absl::StrCat(form, " has no setting ", Quoted(values_.begin()->first),
                                "; it has: ", absl::StrJoin(known_, ", "), "."));
  }

 private:
  void Take(const std::string& name, std::optional<double> (*read)(absl::string_view), absl::string_view range,
            double& target) {
    known_.push_back(name);
    const auto found = values_.find(name);
    if (found == values_.end()) return;
    const std::optional<double> value = read(found->second);
    if (!value.has_value() && error_.ok()) {
      error_ = Invalid(absl::StrCat(name, " takes a number ", range, "; got ", Quoted(found->second), "."));
    }
    target = value.value_or(target);
    values_.erase(found);
  }

  std::map<std::string, std::string> values_;
  std::vector<std::string> known_;
  absl::Status error_;
};

absl::StatusOr<EtaSchedule::Steps> ReadSteps(absl::string_view text) {
  EtaSchedule::Steps form;
  const std::vector<absl::string_view> entries = absl::StrSplit(text, ';');
  for (size_t i = 0; i < entries.size(); ++i) {
    const absl::string_view entry = absl::StripAsciiWhitespace(entries[i]);
    const std::string which = absl::StrCat("Entry ", i + 1, ", ", Quoted(entry), ", ");
    const std::vector<absl::string_view> halves = absl::StrSplit(entry, ',');
    const std::optional<double> from = ReadAboveZero(halves[0]);
    const std::optional<double> eta = halves.size() == 2 ? ReadAboveZero(halves[1]) : std::nullopt;
    if (!from.has_value() || !eta.has_value()) {
      return Invalid(absl::StrCat(which, "is no pair: write when it begins, above 0, and an eta above 0, such as ",
                                  "\"50,0.01\". What holds from the beginning is the run's own eta."));
    }
    for (const EtaSchedule::Step& other : form.steps) {
      if (other.from == *from) {
        return Invalid(absl::StrCat(which, "begins where another entry does: leave one of them out."));
      }
    }
    form.steps.push_back({*from, *eta});
  }
  std::sort(form.steps.begin(), form.steps.end(),
            [](const EtaSchedule::Step& a, const EtaSchedule::Step& b) { return a.from < b.from; });
  return form;
}

absl::Status Read(Settings& settings, EtaSchedule::Exponential& form) {
  form.factor = 0;
  settings.TakeAboveZero("factor", form.factor);
  settings.TakeAboveZero("every", form.every);
  if (absl::Status status = settings.Finish("exponential"); !status.ok()) return status;
  if (form.factor > 0 && form.factor <= kMaxFactor) return absl::OkStatus();
  return Invalid(absl::StrCat("exponential needs a factor above 0, up to ", kMaxFactor, ", such as factor=0.95."));
}

absl::Status Read(Settings& settings, EtaSchedule::Cosine& form) {
  form.over = 0;
  settings.TakeAboveZero("over", form.over);
  settings.TakeFromZero("warmup", form.warmup);
  settings.TakeAboveZero("final", form.final, ", such as 1e-6");
  if (absl::Status status = settings.Finish("cosine"); !status.ok()) return status;
  if (form.over == 0) return Invalid("cosine needs to know how long it takes, such as over=100.");
  if (form.warmup < form.over) return absl::OkStatus();
  return Invalid(
      absl::StrCat("The warm-up must end before the cosine does: warmup=", form.warmup, ", over=", form.over, "."));
}

absl::Status Read(Settings& settings, EtaSchedule::OneCycle& form) {
  form.over = 0;
  settings.TakeAboveZero("over", form.over);
  settings.TakeAboveZero("rise", form.rise);
  settings.TakeAboveZero("start", form.start);
  settings.TakeAboveZero("end", form.end);
  if (absl::Status status = settings.Finish("one-cycle"); !status.ok()) return status;
  if (form.over == 0) return Invalid("one-cycle needs to know how long it takes, such as over=100.");
  if (form.rise >= 1) return Invalid(absl::StrCat("rise is the part that rises, below 1; got ", form.rise, "."));
  if (form.start >= 1 && form.end >= 1) return absl::OkStatus();
  return Invalid("start and end say how many times smaller eta is there: 1 or more.");
}

template <typename Form>
absl::StatusOr<EtaSchedule::Form> ReadForm(Settings& settings) {
  Form form;
  if (absl::Status status = Read(settings, form); !status.ok()) return status;
  return form;
}

absl::StatusOr<EtaSchedule::Form> ReadNamed(absl::string_view kind, Settings& settings) {
  if (kind == "cosine") return ReadForm<EtaSchedule::Cosine>(settings);
  if (kind == "exponential") return ReadForm<EtaSchedule::Exponential>(settings);
  if (kind == "one-cycle") return ReadForm<EtaSchedule::OneCycle>(settings);
  if (kind != "constant") {
    return Invalid(absl::StrCat(Quoted(kind), " is no eta schedule. Write pairs of epoch and eta, such as ",
                                "\"50,0.01;70,0.005\", or one of: constant, cosine, exponential, one-cycle."));
  }
  if (absl::Status status = settings.Finish(kind); !status.ok()) return status;
  return EtaSchedule::Constant{};
}

absl::StatusOr<EtaSchedule::Form> ReadListed(absl::string_view list, Settings& settings) {
  absl::StatusOr<EtaSchedule::Steps> steps = ReadSteps(list);
  if (!steps.ok()) return steps.status();
  if (absl::Status status = settings.Finish("A schedule of steps"); !status.ok()) return status;
  return *std::move(steps);
}

// Digits begin the first pair of steps.
bool BeginsSteps(absl::string_view word) { return word.find_first_of("0123456789.,;+-") == 0; }

bool IsSetting(absl::string_view word) { return word.find('=') != absl::string_view::npos; }

}  // namespace

absl::StatusOr<EtaSchedule> EtaSchedule::Parse(absl::string_view text) {
  if (text.size() > kMaxEtaScheduleCharacters) {
    return Invalid(
        absl::StrCat("An eta schedule has at most ", kMaxEtaScheduleCharacters, " characters; got ", text.size(), "."));
  }
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  if (words.empty()) return Invalid("The eta schedule is empty; \"constant\" keeps eta as it is.");
  const bool listed = BeginsSteps(words.front());
  // Of steps, spaces may stand between the entries, and around a number. Within one they stay, so that it is refused.
  const auto rest = listed ? std::find_if(words.begin(), words.end(), IsSetting) : words.begin() + 1;
  absl::StatusOr<Settings> settings = Settings::Read({rest, words.end()});
  if (!settings.ok()) return settings.status();
  const absl::StatusOr<Unit> unit = settings->TakeUnit();
  if (!unit.ok()) return unit.status();
  absl::StatusOr<Form> form =
      listed ? ReadListed(absl::StrJoin(words.begin(), rest, " "), *settings) : ReadNamed(words.front(), *settings);
  if (!form.ok()) return form.status();
  return EtaSchedule(std::string(text), *std::move(form), *unit);
}

}  // namespace pilothouse::trainer
