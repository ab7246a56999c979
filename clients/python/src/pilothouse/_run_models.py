"""What a run's parameters answer and score: the last, the best, or those in a file."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilothouse._convert import as_floats, from_tensor, to_state, to_tensor
from pilothouse._handle import RunHandle
from pilothouse._models import to_choice, to_evaluation, to_model_used
from pilothouse._names import enum_number
from pilothouse.errors import ArrayShapeInvalid, ColumnNotFound
from pilothouse.models import DataPart, Evaluation, Model, ModelUsed, Prediction
from pilothouse.types import Facts, FloatArray
from pilothouse.v1 import model_pb2
from pilothouse.v1 import training_control_pb2 as pb

#: A prediction is asked for in pieces of at most so many bytes, of inputs or of outputs: well below a message's limit.
_PREDICT_BYTES = 8 << 20


class RunModels(RunHandle):
    """What a Run does with its parameters, changing nothing. Thread-safe. Also of runs that have ended."""

    def predict(
        self, inputs: ArrayLike, *, model: Model | str = Model.LAST, timeout: float | None = None
    ) -> FloatArray:
        """What the network answers to inputs of shape (examples, inputs), or (inputs,) for a single example.

        Inputs are as given to training, before any standardisation. The answer has the shape (examples, outputs), or
        (outputs,), in the run's precision: probabilities for the cross-entropies, else what the last layer gives.
        prediction() tells besides which parameters gave it. Large inputs are asked for in pieces, so pause a training
        run for an answer from one batch.

        Args:
            inputs: real numbers. Of a pandas DataFrame, if the run learnt from a table whose header names its inputs
                (State.facts.input_names), the columns of these names, in whatever order and among whatever others.
            model: "last": the parameters as they are now, or as the run left them. "best": the best that were kept, by
                a plugin of kind save-best, else by a checkpoint. Else the name of a file in the run's folder `saved`.
            timeout: seconds for each piece. Default: the House's.

        Raises:
            ArrayShapeInvalid: the inputs do not fit the network.
            ArrayDtypeInvalid: their elements are not real numbers.
            ColumnNotFound: a DataFrame lacks an input, or has it more than once.
            RunNotFound, TrainerUnavailable.
            NoParameters: the run has not saved the parameters that are asked for.
            CheckpointDamaged: their file is not what was written.
            ServiceOutdated: the service is too old to answer from others than the last.
        """
        return self.prediction(inputs, model=model, timeout=timeout).outputs

    def prediction(
        self, inputs: ArrayLike, *, model: Model | str = Model.LAST, timeout: float | None = None
    ) -> Prediction:
        """As predict(), and which parameters gave the answer: run.prediction(X, model="best").batch.

        Args:
            inputs: as in predict().
            model: as in predict().
            timeout: as in predict().

        Raises:
            As predict().
        """
        choice = to_choice(model)
        rows = as_floats(self._in_order(inputs, timeout), field="inputs")
        if rows.ndim not in (1, 2):
            raise ArrayShapeInvalid(
                f"Inputs are 1-D or 2-D; these have the shape {rows.shape}.",
                field="inputs",
                metadata={"expected": "(examples, inputs) or (inputs,)", "got": str(rows.shape)},
            )
        outputs: FloatArray
        if rows.ndim == 1:
            used, answer = self._predict_rows(rows, choice, timeout)
            return Prediction(used.model, used.file, used.batch, answer[0])
        step = self._rows_per_prediction(rows.shape[1] * rows.itemsize, timeout)
        begins = range(0, max(len(rows), 1), step)
        pieces = [self._predict_rows(rows[begin : begin + step], choice, timeout) for begin in begins]
        outputs = np.concatenate([answer for _, answer in pieces])
        used = pieces[-1][0]
        return Prediction(used.model, used.file, used.batch, outputs, mixed=any(others != used for others, _ in pieces))

    def evaluate(
        self,
        part: DataPart | str = DataPart.TEST,
        *,
        model: Model | str = Model.LAST,
        timeout: float | None = None,
    ) -> Evaluation:
        """What the parameters score on examples that the run does not learn from: run.evaluate().accuracy.

        Where the parameters are not those of a run that lives, the data are read again for it, so give a timeout that
        is long enough; else training waits as long as a validation takes.

        Args:
            part: "test": what start(test=…) has kept for the end; whoever picks among parameters or settings by what
                they score there has learnt from it. "validation": what start(validation=…) holds out.
            model: as in predict().
            timeout: seconds to wait. Default: the House's.

        Raises:
            NoTestData, NoValidationData: the run was started without this part.
            NoParameters: the run has not saved the parameters that are asked for.
            CheckpointDamaged: their file is not what was written.
            DataChanged: the data are not what they were.
            SpecInvalid: there is no such part.
            ServiceOutdated: the service is too old to score anything.
            RunNotFound, TrainerUnavailable, TrainerFailed, Unreachable, DeadlineExceeded.
        """
        request = model_pb2.EvaluateRequest(
            run_id=self._run_id, part=enum_number(model_pb2.DataPart, part, field="part"), model=to_choice(model)
        )
        return to_evaluation(self._ask("Evaluate", request, timeout))

    def _predict_rows(
        self, rows: NDArray[Any], choice: model_pb2.ModelChoice | None, timeout: float | None
    ) -> tuple[ModelUsed, Any]:
        tensor = to_tensor(rows, field="inputs")
        request = model_pb2.PredictRequest(run_id=self._run_id, inputs=tensor, model=choice)
        answer = self._ask("Predict", request, timeout)
        if choice is None and not answer.HasField("model"):  # of an older service, which knows no others
            return ModelUsed(Model.LAST, "", answer.batch), from_tensor(answer.outputs)
        return to_model_used(answer), from_tensor(answer.outputs)

    def _in_order(self, inputs: Any, timeout: float | None) -> ArrayLike:
        """The columns of a DataFrame that the run knows by name; anything else as it is."""
        if not (hasattr(inputs, "columns") and hasattr(inputs, "iloc")):
            return cast(ArrayLike, inputs)
        facts = self._known_facts(timeout)
        if facts is None or not facts.input_names:
            return cast(ArrayLike, inputs)
        known = [str(label) for label in inputs.columns]
        places = {label: place for place, label in enumerate(known)}
        several = {label for label, count in Counter(known).items() if count > 1}
        for name in facts.input_names:
            if name not in places or name in several:
                raise ColumnNotFound(
                    f"The run learnt from a column {name!r}, which this DataFrame "
                    f"{'has more than once' if name in several else 'does not have'}. To have its columns taken in "
                    "their order, whatever they are called, give its to_numpy().",
                    field="inputs",
                    metadata={"column": name, "known": ", ".join(known)},
                )
        return cast(ArrayLike, inputs.iloc[:, [places[name] for name in facts.input_names]].to_numpy())

    def _known_facts(self, timeout: float | None) -> Facts | None:
        if self._facts is None:
            self._remember(to_state(self._ask("GetState", pb.GetStateRequest(run_id=self._run_id), timeout).run))
        return self._facts

    def _rows_per_prediction(self, row_bytes: int, timeout: float | None) -> int:
        facts = self._known_facts(timeout)
        output_bytes = 8 * facts.outputs if facts else 0
        return max(1, _PREDICT_BYTES // max(row_bytes, output_bytes, 1))
