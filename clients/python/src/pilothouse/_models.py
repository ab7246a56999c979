"""Between the protocol's messages about models and the classes of this package. Pure functions."""

from __future__ import annotations

from typing import Any

from pilothouse._names import enum_member
from pilothouse._outdated import outdated
from pilothouse.models import DataPart, Evaluation, Model, ModelUsed
from pilothouse.v1 import model_pb2

#: What ModelUsed tells of files that plugins saved begins so, and may be given back.
SAVED_FOLDER = "saved/"


def to_choice(model: Model | str) -> model_pb2.ModelChoice | None:
    """Which parameters are asked for: "last", "best", or a file in the run's folder `saved`. None: the last.

    Raises:
        TypeError: it is no text.
        ValueError: it is blank.
    """
    if not isinstance(model, str):
        raise TypeError(f'model is "last", "best" or the name of a saved file, not {type(model).__name__}')
    if not model.strip():
        raise ValueError('model is "last", "best" or the name of a saved file; got a blank')
    match model.lower():
        case "last":
            return None
        case "best":
            return model_pb2.ModelChoice(model=model_pb2.MODEL_BEST)
        case _:
            return model_pb2.ModelChoice(saved_file=model.removeprefix(SAVED_FOLDER))


def to_model_used(answer: Any) -> ModelUsed:
    """What a message says in its field `model`.

    Raises:
        ServiceOutdated: nothing, although it should: a service that knows no models has looked at the last parameters.
    """
    if not answer.HasField("model"):
        raise outdated("The service does not say which parameters it has used")
    used = answer.model
    return ModelUsed(enum_member(Model, model_pb2.Model, used.model), used.file, used.batch)


def to_evaluation(answer: model_pb2.EvaluateResponse) -> Evaluation:
    """The scores of an answer.

    Raises:
        ServiceOutdated: as to_model_used().
    """
    used = to_model_used(answer)
    return Evaluation(
        used.model,
        used.file,
        used.batch,
        enum_member(DataPart, model_pb2.DataPart, answer.part),
        answer.examples,
        {value.name: value.value for value in answer.values},
    )
