"""Between the protocol's messages about plugins and the classes of this package. Pure functions."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
from google.protobuf.duration_pb2 import Duration

from pilothouse._names import enum_member
from pilothouse._numbers import plugin_number
from pilothouse.errors import PluginInvalid
from pilothouse.plugins import (
    Histogram,
    Plugin,
    PluginKind,
    PluginPoint,
    PluginSettingInfo,
    PluginState,
    SettingValue,
    Timeline,
)
from pilothouse.v1 import plugin_pb2

_LARGEST_ALLOWANCE = timedelta(hours=1)


def to_specs(plugins: Plugin | str | Iterable[Plugin | str]) -> list[plugin_pb2.PluginSpec]:
    """Plugins, or the names of kinds, as they travel; one alone counts as a list of one.

    Raises:
        TypeError: something else.
        PluginInvalid: a number is outside its range.
    """
    if isinstance(plugins, Plugin | str):
        plugins = [plugins]
    return [to_spec(plugin) for plugin in plugins]


def to_spec(plugin: Plugin | str) -> plugin_pb2.PluginSpec:
    """As to_specs, of one plugin."""
    if isinstance(plugin, str):
        plugin = Plugin(plugin)
    if not isinstance(plugin, Plugin):
        raise TypeError(f"a plugin is a pilothouse.Plugin or the name of a kind, not {type(plugin).__name__}")
    spec = plugin_pb2.PluginSpec(
        name=plugin.name,
        kind=plugin.kind,
        schedule=plugin.schedule,
        timeline=timeline_number(plugin.timeline),
        point=point_number(plugin.point),
        settings={name: setting_text(name, value) for name, value in plugin.settings.items()},
        priority=None if plugin.priority is None else plugin_number(plugin.priority, "priority", -1000, 1000),
        # 0 travels as "the usual number".
        max_failures=None
        if plugin.max_failures is None
        else plugin_number(plugin.max_failures, "max_failures", 1, 1000),
    )
    if plugin.required is not None:
        spec.required = plugin.required
    if plugin.allowance is not None:
        spec.allowance.CopyFrom(_allowance(plugin.allowance))
    return spec


def timeline_number(timeline: Timeline | str | None) -> Any:
    """The timeline as it travels.

    Raises:
        SpecInvalid: there is no such timeline.
    """
    member = Timeline.UNSPECIFIED if timeline is None else Timeline(timeline)
    return plugin_pb2.Timeline.Value(f"TIMELINE_{member.name}")


def point_number(point: PluginPoint | str | None) -> Any:
    """The point as it travels.

    Raises:
        PluginPointUnknown: there is no such point.
    """
    member = PluginPoint.UNSPECIFIED if point is None else PluginPoint(point)
    return plugin_pb2.PluginPoint.Value(f"PLUGIN_POINT_{member.name}")


def setting_text(name: str, value: SettingValue) -> str:
    """A setting as it travels; numbers without loss, a list of names separated by commas.

    Raises:
        TypeError: it is nothing that a setting can be.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return f"{_shortest(value.total_seconds())} s"
    if isinstance(value, float | np.floating):
        return _shortest(float(value))
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    try:
        return str(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"setting {name} is text, a number, a bool or a timedelta, not {value!r}") from None


def _shortest(number: float) -> str:
    """The shortest text that is read back as the same number."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def to_plugin_state(status: plugin_pb2.PluginStatus) -> PluginState:
    """A plugin as it is in a run."""
    spec = status.spec
    return PluginState(
        name=spec.name,
        kind=spec.kind,
        schedule=spec.schedule,
        timeline=enum_member(Timeline, plugin_pb2.Timeline, spec.timeline),
        point=enum_member(PluginPoint, plugin_pb2.PluginPoint, spec.point),
        settings=dict(spec.settings),
        priority=spec.priority,
        required=spec.required,
        allowance=_seconds(spec.allowance),
        max_failures=spec.max_failures,
        runs=status.runs,
        failures=status.failures,
        last_batch=status.last_batch if status.HasField("last_batch") else None,
        total_time=_seconds(status.total_time),
        last_time=_seconds(status.last_time),
        next_due=status.next_due if status.HasField("next_due") else None,
        now=status.now,
        built_in=status.built_in,
        last_failure=status.last_failure,
        attached_batch=status.attached_batch,
        waits_for=status.waits_for,
    )


def to_plugin_kind(kind: plugin_pb2.PluginKind) -> PluginKind:
    """A kind of plugin."""
    return PluginKind(
        kind.name,
        kind.description,
        tuple(
            PluginSettingInfo(setting.name, setting.description, setting.usual, setting.required)
            for setting in kind.settings
        ),
        kind.usual_schedule,
        enum_member(PluginPoint, plugin_pb2.PluginPoint, kind.usual_point),
        kind.usual_priority,
        kind.required,
    )


def to_histogram(histogram: plugin_pb2.Histogram) -> Histogram:
    """A histogram that a plugin reported."""
    return Histogram(histogram.name, histogram.minimum, histogram.maximum, tuple(histogram.counts))


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1e9


def _allowance(allowance: float | timedelta) -> Duration:
    seconds = allowance.total_seconds() if isinstance(allowance, timedelta) else allowance
    if isinstance(seconds, bool) or not 0 < seconds <= _LARGEST_ALLOWANCE.total_seconds():
        raise PluginInvalid(
            f"A plugin's allowance is above 0 and at most an hour; got {allowance!r}.",
            field="allowance",
            metadata={"value": str(allowance)},
        )
    duration = Duration()
    duration.FromNanoseconds(max(1, round(seconds * 1e9)))
    return duration
