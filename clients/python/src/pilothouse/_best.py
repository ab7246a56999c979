"""The batch of a run's best parameters, where the run's present line is meant."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pilothouse._deadlines import seconds_left
from pilothouse._handle import RunHandle
from pilothouse._models import SAVED_FOLDER, to_choice, to_model_used
from pilothouse.errors import BatchOutOfRange, CheckpointDamaged
from pilothouse.events import PluginEvent
from pilothouse.history import History, history_request
from pilothouse.models import Model
from pilothouse.v1 import checkpoint_pb2
from pilothouse.v1 import training_control_pb2 as pb

_log = logging.getLogger("pilothouse")

#: The kind of plugin that keeps the best parameters.
_KIND = "save-best"


def batch_of_best(run: RunHandle, deadline: float | None) -> int:
    """The batch on the present line after which the parameters stood so that are the best the run has kept.

    Raises:
        NoParameters: the run has kept none.
        CheckpointDamaged: only a damaged file of a plugin tells which they are.
        BatchOutOfRange: they are of a batch that a branch has, not the present line.
        ServiceOutdated: as to_model_used().
    """
    request = pb.GetStateRequest(run_id=run.run_id, model=to_choice(Model.BEST))
    try:
        answer = run._ask("GetState", request, seconds_left(deadline))
    except CheckpointDamaged as refusal:
        return _batch_of_damaged(refusal)
    best = to_model_used(answer)
    # Checkpoints are looked for on the present line only; files saved by plugins stay when a run is taken back.
    if best.file.startswith(SAVED_FOLDER):
        _check_on_present_line(run, best.batch, answer.run.branches, deadline)
    return best.batch


def _batch_of_damaged(refusal: CheckpointDamaged) -> int:
    """The batch of a checkpoint of the present line.

    To go there takes nothing of its file: what lies between it and the checkpoint before it is trained again.
    """
    batch = refusal.metadata.get("batch", "")
    if not batch.isdecimal() or refusal.metadata.get("file", SAVED_FOLDER).startswith(SAVED_FOLDER):
        raise refusal
    _log.warning("the best parameters are those of batch %s, whose file is damaged: going there without it", batch)
    return int(batch)


def _check_on_present_line(
    run: RunHandle, batch: int, branches: Iterable[checkpoint_pb2.Branch], deadline: float | None
) -> None:
    """What was saved before the run was taken back stays until there is something better.

    Then its batch is one of what was left behind, and the present line, if it has come so far at all, is another there.
    """
    left = [branch.name for branch in branches if branch.from_batch < batch <= branch.through_batch]
    if not left or _was_saved_at(run, batch, None, deadline):
        return
    # Of several, the one that was left last has written the file last.
    newest_first = left[::-1]
    name = next((name for name in newest_first if _was_saved_at(run, batch, name, deadline)), newest_first[0])
    raise BatchOutOfRange(
        f"The best parameters are of batch {batch} of what was left behind as {name}, not of the present line; "
        f'fork(at={batch}, branch="{name}") goes on from there.',
        field="batch",
        metadata={"batch": str(batch), "branch": name},
    )


def _was_saved_at(run: RunHandle, batch: int, branch: str | None, deadline: float | None) -> bool:
    """Whether a plugin that saves the best did so at this batch of a branch; None: of the present line."""
    request = history_request(run.run_id, "plugin", batch, batch, points=None, branch=branch)
    history = History(run._connection, request, seconds_left(deadline))
    return any(isinstance(event, PluginEvent) and event.kind == _KIND for event in history)
