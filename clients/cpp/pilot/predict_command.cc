#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "clients/cpp/pilot/answer_output.h"
#include "clients/cpp/pilot/commands.h"
#include "clients/cpp/pilot/exit_code.h"
#include "clients/cpp/pilot/json_output.h"
#include "clients/cpp/pilot/table.h"
#include "clients/cpp/pilot/text.h"
#include "clients/cpp/pilothouse_client/npy.h"
#include "proto/support/error.h"
#include "proto/support/limits.h"
#include "proto/support/tensor.h"

namespace pilothouse::client {
namespace {

constexpr int kPrintedDigits = 5;
constexpr int kWrittenDigits = 9;

absl::Status WrongWidth(int64_t expected, int64_t got) {
  return MakeError(v1::ERROR_REASON_ARRAY_SHAPE_INVALID, "inputs",
                   absl::StrCat("the run takes ", expected, " inputs per row; these have ", got, "."),
                   {{"expected", absl::StrCat(expected)}, {"got", absl::StrCat(got)}});
}

// As a tensor of shape [rows, inputs]. `columns` becomes InputsText, where there is something to say.
absl::StatusOr<v1::Tensor> ReadInputs(const PredictArguments& given, const v1::Run& run, std::string& columns) {
  const int64_t inputs = run.facts().inputs();
  if (inputs == 0) {
    return MakeError(v1::ERROR_REASON_NO_PARAMETERS, "run_id",
                     absl::StrCat("it is not known what the run ", run.run_id(), " takes. ", run.status_message()),
                     {{"run_id", run.run_id()}});
  }
  if (given.data.empty()) {
    absl::StatusOr<v1::Tensor> array = ReadNpyFile(given.inputs);
    if (!array.ok()) return array.status();
    if (array->shape_size() == 1) {
      array->add_shape(array->shape(0));
      array->set_shape(0, 1);
    }
    if (array->shape_size() != 2) return WrongWidth(inputs, ElementCount(*array));
    if (array->shape(1) != inputs) return WrongWidth(inputs, array->shape(1));
    return array;
  }
  const v1::DataSpec& data = run.spec().data();
  const TableRoles roles = {.targets = {data.target_columns().begin(), data.target_columns().end()},
                            .weight = data.weight_column(),
                            .ignored = {data.ignored_columns().begin(), data.ignored_columns().end()}};
  absl::StatusOr<Table> table = ReadTableFile(given.data);
  if (!table.ok()) return table.status();
  const std::vector<std::string> header = table->header;
  const bool by_name = !header.empty() && run.facts().input_names_size() == inputs;
  const absl::Status kept =
      by_name ? KeepNamed({run.facts().input_names().begin(), run.facts().input_names().end()}, *table)
              : KeepInputs(roles, inputs, *table);
  if (!kept.ok()) return kept;
  if (table->columns != inputs) return WrongWidth(inputs, table->columns);
  if (absl::Status numbers = CheckNumbers(*table); !numbers.ok()) return numbers;
  columns = InputsText(header, *table, by_name);
  return MakeTensor(table->values, {table->rows, table->columns});
}

int64_t RowsPerRequest(const v1::Tensor& inputs, int64_t outputs) {
  const int64_t rows = std::max<int64_t>(1, inputs.shape(0));
  const int64_t input_bytes = std::max<int64_t>(1, static_cast<int64_t>(inputs.data().size()) / rows);
  // Answers are held to the same size, in double precision at most.
  const int64_t output_bytes = std::max<int64_t>(1, outputs * static_cast<int64_t>(sizeof(double)));
  return std::max<int64_t>(1, kMaxPredictBytes / std::max(input_bytes, output_bytes));
}

// Asks in as many requests as the limits ask for.
absl::StatusOr<Prediction> Predict(const Client& client, const v1::Run& run, const v1::Tensor& inputs,
                                   const v1::ModelChoice& model) {
  Prediction prediction;
  prediction.run_id = run.run_id();
  prediction.width = run.facts().outputs();
  const int64_t rows = inputs.shape(0);
  const int64_t row_bytes = rows == 0 ? 0 : static_cast<int64_t>(inputs.data().size()) / rows;
  const int64_t step = RowsPerRequest(inputs, prediction.width);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    v1::Tensor part;
    part.set_element_type(inputs.element_type());
    part.add_shape(count);
    part.add_shape(inputs.shape(1));
    part.set_data(inputs.data().substr(begin * row_bytes, count * row_bytes));
    const absl::StatusOr<v1::PredictResponse> answer = client.Predict(run.run_id(), part, model);
    if (!answer.ok()) return answer.status();
    if (const absl::Status valid = CheckTensor(answer->outputs(), "outputs"); !valid.ok()) return valid;
    const std::vector<double> outputs = ToDoubles(answer->outputs());
    if (static_cast<int64_t>(outputs.size()) != count * prediction.width) {
      return absl::InternalError("the service answered with another number of outputs than it announced.");
    }
    prediction.outputs.insert(prediction.outputs.end(), outputs.begin(), outputs.end());
    if (begin == 0) prediction.first_batch = answer->batch();
    prediction.last_batch = answer->batch();
    prediction.model = answer->model();
    if (!answer->has_model()) {
      // A service that does not say whose answers these are knows of no others than the last.
      prediction.model.set_model(v1::MODEL_LAST);
      prediction.model.set_batch(answer->batch());
    }
  }
  return prediction;
}

absl::Span<const double> Row(const Prediction& prediction, int64_t row) {
  return absl::MakeConstSpan(prediction.outputs).subspan(row * prediction.width, prediction.width);
}

int64_t RowCount(const Prediction& prediction) {
  return prediction.width == 0 ? 0 : static_cast<int64_t>(prediction.outputs.size()) / prediction.width;
}

void Classify(v1::LossFunction loss, Prediction& prediction) {
  if (loss != v1::LOSS_FUNCTION_CROSS_ENTROPY) return;
  for (int64_t row = 0; row < RowCount(prediction); ++row) {
    const absl::Span<const double> outputs = Row(prediction, row);
    const auto best = std::max_element(outputs.begin(), outputs.end());
    prediction.classes.push_back(best - outputs.begin());
    prediction.probabilities.push_back(*best);
  }
}

std::string TableText(const Prediction& prediction) {
  const bool classes = !prediction.classes.empty();
  std::vector<std::vector<std::string>> rows;
  rows.push_back(classes ? std::vector<std::string>{"row", "class", "probability"} : std::vector<std::string>{"row"});
  for (int64_t j = 0; !classes && j < prediction.width; ++j) rows[0].push_back(absl::StrCat("output ", j + 1));
  for (int64_t i = 0; i < RowCount(prediction); ++i) {
    std::vector<std::string> row = {absl::StrCat(i + 1)};
    if (classes) {
      row.push_back(absl::StrCat(prediction.classes[i]));
      row.push_back(FormatNumber(prediction.probabilities[i], kPrintedDigits));
    } else {
      for (const double value : Row(prediction, i)) row.push_back(FormatNumber(value, kPrintedDigits));
    }
    rows.push_back(std::move(row));
  }
  return FormatTable(rows, std::vector<bool>(rows[0].size(), true), "");
}

std::string CsvText(const Prediction& prediction) {
  const bool classes = !prediction.classes.empty();
  std::string text = classes ? "class,probability" : "";
  for (int64_t j = 0; j < prediction.width; ++j) absl::StrAppend(&text, text.empty() ? "" : ",", "output_", j + 1);
  text += '\n';
  for (int64_t i = 0; i < RowCount(prediction); ++i) {
    std::string line;
    if (classes) {
      line = absl::StrCat(prediction.classes[i], ",", FormatNumber(prediction.probabilities[i], kWrittenDigits));
    }
    for (const double value : Row(prediction, i)) {
      absl::StrAppend(&line, line.empty() ? "" : ",", FormatNumber(value, kWrittenDigits));
    }
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace

int RunPredict(const Session& session, const Arguments& arguments) {
  const absl::StatusOr<v1::Run> run = session.RunToRead(arguments.run);
  if (!run.ok()) return session.Fail(run.status());
  std::string columns;
  const absl::StatusOr<v1::Tensor> inputs = ReadInputs(arguments.predict, *run, columns);
  if (!inputs.ok()) return session.Fail(inputs.status());
  if (!columns.empty()) session.Note(columns);
  absl::StatusOr<Prediction> prediction = Predict(session.client(), *run, *inputs, arguments.model);
  if (!prediction.ok()) return session.Fail(prediction.status());
  Classify(run->spec().loss(), *prediction);
  if (prediction->first_batch != prediction->last_batch) {
    session.Note(absl::StrCat("the parameters changed meanwhile: first answers are of batch ", prediction->first_batch,
                              ", last of ", prediction->last_batch));
  }
  session.Note(absl::StrCat("model ", ModelText(prediction->model)));
  if (const std::string& path = arguments.predict.output; !path.empty()) {
    std::ofstream file(path, std::ios::binary);
    file << CsvText(*prediction);
    file.close();
    if (!file) return session.Fail(absl::InvalidArgumentError(absl::StrCat("cannot write ", path, ".")));
    if (!session.json()) session.Print(absl::StrCat(RowCount(*prediction), " rows written to ", path));
    return kExitSuccess;
  }
  std::string text = session.json() ? PredictionJson(*prediction) : TableText(*prediction);
  if (text.back() == '\n') text.pop_back();
  session.Print(text);
  return kExitSuccess;
}

}  // namespace pilothouse::client
