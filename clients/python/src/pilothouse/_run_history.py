"""What a run has reported: reading it, and writing it to files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pilothouse._export import KINDS_OF_FORMAT, export_history, format_of
from pilothouse._handle import RunHandle
from pilothouse.history import History, Losses, history_request, to_losses


class RunHistory(RunHandle):
    """What a Run does with its history. Thread-safe. Also of runs that have ended."""

    def history(
        self,
        *,
        kinds: str | Iterable[str] | None = None,
        first_batch: int | None = None,
        last_batch: int | None = None,
        points: int | None = None,
        branch: str | None = None,
        timeout: float | None = None,
    ) -> History:
        """What the run has reported up to now: an iterable of events, and frame() makes a pandas DataFrame of it.

        Args:
            kinds: only these: EventKind, or "loss", "status", "control", "state", "plugin", "checkpoint". Default: all
                but states.
            first_batch: only events of this batch and later ones.
            last_batch: only events of this batch and earlier ones.
            points: thin losses to at most so many, 2 to 100,000, keeping extremes: what a curve needs. Default: all.
            branch: a branch of the run, from the run's beginning on. Default: its present line. "*": everything, in
                the order in which it happened.
            timeout: seconds for each page. Default: the House's.

        Raises:
            SpecInvalid: there is no such kind.
            HistoryRangeInvalid: the number of points is outside its range.
        """
        request = history_request(self._run_id, kinds, first_batch, last_batch, points, branch)
        return History(self._connection, request, timeout)

    def losses(
        self,
        points: int | None = 2000,
        *,
        first_batch: int | None = None,
        last_batch: int | None = None,
        branch: str | None = None,
        timeout: float | None = None,
    ) -> Losses:
        """The reported losses as two arrays, batches and values: `plot(*run.losses())` draws the curve.

        Args:
            points: as in history(). None: all.
            first_batch: as in history().
            last_batch: as in history().
            branch: as in history().
            timeout: as in history().

        Raises:
            As history() and its iteration.
        """
        return to_losses(
            self.history(
                kinds="loss",
                first_batch=first_batch,
                last_batch=last_batch,
                points=points,
                branch=branch,
                timeout=timeout,
            )
        )

    def export(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002 (what everybody calls it)
        *,
        kinds: str | Iterable[str] | None = None,
        first_batch: int | None = None,
        last_batch: int | None = None,
        points: int | None = None,
        branch: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Writes the history to a file and returns the number of events written.

        The file appears under its name, in place of an older one, once it is complete.

        - "csv": the columns of History.frame() with a header line; `details` as a JSON object.
        - "jsonl": an object a line, all that is known of the event, as `pilot watch --json` shows it.
        - "jsons": the observatory's log: objects of "loss", "eta" and "sv" (the state vector), each with
          [batch, value]. A loss has "eta" as well where a schedule has changed it. Numbers that are not finite
          are null.
        - "tensorboard": `path` is a folder, which may exist; losses, knobs, and what plugins report, with batches as
          steps. TensorBoard holds float32. Needs tensorboardX: this package's extra [tensorboard].

        Args:
            path: where to write.
            format: one of these. Default: what the name of `path` ends with: .csv, .jsonl or .jsons.
            kinds: as in history(). Default: all that the format can hold.
            first_batch: as in history().
            last_batch: as in history().
            points: as in history().
            branch: as in history().
            timeout: as in history().

        Raises:
            SpecInvalid: there is no such format or kind.
            MissingExtra: tensorboardX is not installed.
            OSError: it cannot be written there. An older file is as it was.
            As history() and its iteration.
        """
        path = Path(path)
        wanted = format_of(path, format)
        history = self.history(
            kinds=KINDS_OF_FORMAT[wanted] if kinds is None else kinds,
            first_batch=first_batch,
            last_batch=last_batch,
            points=points,
            branch=branch,
            timeout=timeout,
        )
        return export_history(history, path, wanted)
