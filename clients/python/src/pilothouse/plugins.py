"""Plugins: what runs between two batches of a run, when a schedule on a timeline says so.

    run = house.start(..., validation=0.2, plugins=["validate", Plugin("early-stopping", settings={"patience": 5})])
    run.attach("checkpoint", "each(30 min)")
    for plugin in run.plugins():
        print(plugin)

All classes are immutable values and safe to share between threads.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pilothouse.errors import PluginKindUnknown, PluginPointUnknown, SpecInvalid

#: The value of a plugin's setting. A time may be a timedelta; several names, a list or a tuple.
SettingValue = str | float | int | bool | timedelta | list[str] | tuple[str, ...]

#: Stands in schedules, and in the name of no kind.
_NOT_OF_A_KIND = re.compile(r"[\s()]")

_Kind = TypeVar("_Kind", bound=enum.StrEnum)


class Timeline(enum.StrEnum):
    """A run's ways of counting. Written "wall_time", "wall-time" or Timeline.WALL_TIME."""

    #: As the schedule's units say: "each(30 s)" is wall time, "each(2 epochs)" epochs; without units, batches.
    UNSPECIFIED = "unspecified"
    BATCHES = "batches"
    EXAMPLES = "examples"
    #: Examples seen, divided by the number of training examples.
    EPOCHS = "epochs"
    #: Seconds since the run began, by a clock that never goes back.
    WALL_TIME = "wall_time"
    #: Seconds spent on batches: wall time less time spent in plugins, validation and waiting.
    TRAINING_TIME = "training_time"

    @classmethod
    def _missing_(cls, value: object) -> Timeline:
        """Finds names in any case and with hyphens.

        Raises:
            SpecInvalid: there is no such timeline.
        """
        member = _member_named(cls, value, "timeline")
        if member is None:
            known = _known(cls)
            raise SpecInvalid(
                f"There is no timeline {value!r}; known are {known}.",
                field="timeline",
                metadata={"value": str(value), "known": known},
            )
        return member


class PluginPoint(enum.StrEnum):
    """Points in the life of a run at which plugins can run. Written "after_batch" or PluginPoint.AFTER_BATCH."""

    #: The kind's usual point.
    UNSPECIFIED = "unspecified"
    #: Once, before the first batch. A plugin attached later runs before the next batch. Takes no schedule.
    START = "start"
    #: After the controls of a boundary, right before the next batch.
    BEFORE_BATCH = "before_batch"
    #: After a batch, before the controls of that boundary.
    AFTER_BATCH = "after_batch"
    #: After a validation. The schedule is asked about the time since the validation before it.
    AFTER_VALIDATION = "after_validation"
    #: When the run was told to stop, before its parameters are saved. Takes no schedule.
    BEFORE_STOP = "before_stop"
    #: After the last batch, when the parameters are saved. Takes no schedule.
    END = "end"

    @classmethod
    def _missing_(cls, value: object) -> PluginPoint:
        """Finds names in any case and with hyphens.

        Raises:
            PluginPointUnknown: there is no such point.
        """
        member = _member_named(cls, value, "point")
        if member is None:
            known = _known(cls)
            raise PluginPointUnknown(
                f"There is no point {value!r} in the life of a run; known are {known}.",
                field="point",
                metadata={"point": str(value), "known": known},
            )
        return member


def _member_named(kind: type[_Kind], value: object, what: str) -> _Kind | None:
    if not isinstance(value, str):
        raise TypeError(f"a {what} is text, not {type(value).__name__}")
    return kind.__members__.get(value.upper().replace("-", "_"))


def _known(kind: type[enum.StrEnum]) -> str:
    return ", ".join(member for member in kind if member != "unspecified")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What to run, and when: Plugin("early-stopping", "each(100)", settings={"patience": 5}).

    What is left out gets the kind's usual value; House.plugin_kinds() tells the kinds and what is usual. Making one
    raises PluginPointUnknown for a point, and SpecInvalid for a timeline, that there is not; and PluginKindUnknown for
    a kind with a blank or a parenthesis.

    Attributes:
        kind: one of House.plugin_kinds().
        schedule: the times at which to run: "each(100)", "each(30 s) & from(1 h)", "at(10, 20) | each(5 epochs)".
        name: names it within its run, [a-z0-9][a-z0-9-]{0,62}. Empty: the kind's name, with a number if that is taken.
        timeline: what the schedule counts: "batches", "examples", "epochs", "wall_time" or "training_time". None: as
            its units say; without units, batches.
        point: at which point it runs: "start", "before_batch", "after_batch", "after_validation", "before_stop" or
            "end". None: the kind's usual one.
        settings: the kind's settings by name.
        priority: lower runs first, −1,000 to 1,000; at the same priority, the one attached first.
        required: where it fails as often as is allowed, the run pauses instead of going on without it.
        allowance: longest time that one call may take, in seconds or as a timedelta, above 0, at most an hour. None:
            10 s.
        max_failures: after so many failures in a row it is detached, 1 to 1,000. None: 3.
    """

    kind: str = field(kw_only=False)
    schedule: str = field(default="", kw_only=False)
    name: str = ""
    timeline: Timeline | str | None = None
    point: PluginPoint | str | None = None
    settings: Mapping[str, SettingValue] = field(default_factory=dict, hash=False)
    priority: int | None = None
    required: bool | None = None
    allowance: float | timedelta | None = None
    max_failures: int | None = None

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        timeline = None if self.timeline is None else Timeline(self.timeline)
        point = None if self.point is None else PluginPoint(self.point)
        object.__setattr__(self, "timeline", None if timeline is Timeline.UNSPECIFIED else timeline)
        object.__setattr__(self, "point", None if point is PluginPoint.UNSPECIFIED else point)
        object.__setattr__(self, "settings", dict(self.settings))


def _check_kind(kind: str) -> None:
    if not isinstance(kind, str) or not _NOT_OF_A_KIND.search(kind):
        return
    raise PluginKindUnknown(
        f"There is no kind of plugin {kind!r}. A schedule is said apart from the kind: write "
        'pilothouse.Plugin("validate", "each(100)"), or run.attach("validate", "each(100)").',
        field="kind",
        metadata={"kind": kind},
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PluginState:
    """A plugin of a run as it is now, complete: what was left out is filled in."""

    name: str
    kind: str
    schedule: str
    timeline: Timeline
    point: PluginPoint
    settings: Mapping[str, str] = field(hash=False)
    priority: int
    required: bool
    #: Seconds that one call may take.
    allowance: float
    max_failures: int
    #: How often it ran, and how often it failed.
    runs: int
    failures: int
    #: The batch at which it ran last. None: it never did.
    last_batch: int | None
    #: Seconds that its calls took altogether, and the last one.
    total_time: float
    last_time: float
    #: When it is next due, in the timeline's unit: batches, examples, epochs, seconds. None: no more, or not by a
    #: schedule.
    next_due: float | None
    #: Where the run is on that timeline.
    now: float
    #: Part of the run itself: it can be neither detached nor rescheduled.
    built_in: bool
    #: What went wrong last. Empty: nothing.
    last_failure: str
    #: The batch at which it was attached.
    attached_batch: int
    #: What it waits for, where the schedule does not say it: "a validation". Empty: nothing.
    waits_for: str

    @property
    def plugin(self) -> Plugin:
        """What would attach the like to another run."""
        return Plugin(
            self.kind,
            self.schedule,
            name=self.name,
            timeline=self.timeline,
            point=self.point,
            settings=self.settings,
            priority=self.priority,
            required=self.required,
            allowance=self.allowance or None,
            max_failures=self.max_failures or None,
        )

    def __repr__(self) -> str:
        return f"PluginState({self})"

    def __str__(self) -> str:
        """One line: "early-stopping: each(100) on batches; ran 3 times, last at batch 300; next at 400"."""
        when = f"{self.schedule} on {self.timeline}" if self.schedule else str(self.point)
        parts = [f"{self.name}: {when}", "never ran yet"]
        if self.last_batch is not None:
            parts[1] = f"ran {self.runs} time{'' if self.runs == 1 else 's'}, last at batch {self.last_batch}"
        if self.failures:
            parts.append(f"failed {self.failures} time{'' if self.failures == 1 else 's'}, last: {self.last_failure}")
        if self.next_due is not None:
            parts.append(f"next at {self.next_due:g}")
        if self.waits_for:
            parts.append(f"waits for {self.waits_for}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class PluginSettingInfo:
    """A setting of a kind of plugin."""

    name: str
    #: What it does, its unit and its range, in a few words.
    description: str
    #: The value where none is given. Empty if `required`.
    usual: str
    #: One must be given.
    required: bool


@dataclass(frozen=True, slots=True, repr=False)
class PluginKind:
    """A kind of plugin that the service's trainers know."""

    name: str
    #: One sentence.
    description: str
    settings: tuple[PluginSettingInfo, ...]
    #: What a Plugin that leaves these out gets.
    usual_schedule: str
    usual_point: PluginPoint
    usual_priority: int
    required: bool

    def __repr__(self) -> str:
        return f"PluginKind({self.name}: {self.description})"

    def __str__(self) -> str:
        """The name and what it does, then a line for each setting."""
        lines = [f"{self.name}: {self.description}"]
        for setting in self.settings:
            usual = "required" if setting.required else f"usually {setting.usual or 'empty'}"
            lines.append(f"    {setting.name} ({usual}): {setting.description}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values fell into bins of equal width. The first begins at `minimum`, the last ends at `maximum`."""

    name: str
    minimum: float
    maximum: float
    counts: tuple[int, ...]

    @property
    def edges(self) -> NDArray[np.float64]:
        """The bounds of the bins, of shape (bins + 1,)."""
        return np.linspace(self.minimum, self.maximum, len(self.counts) + 1)

    def __repr__(self) -> str:
        return (
            f"Histogram({self.name}: {sum(self.counts)} values in {len(self.counts)} bins "
            f"from {self.minimum:g} to {self.maximum:g})"
        )
