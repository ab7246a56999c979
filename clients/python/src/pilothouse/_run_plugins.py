"""The plugins of a run: attaching, detaching, rescheduling, listing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from pilothouse._convert import to_plugin_receipt
from pilothouse._every import attach_function, check_function
from pilothouse._handle import RunHandle
from pilothouse._numbers import plugin_number
from pilothouse._plugins import timeline_number, to_plugin_state, to_spec
from pilothouse.events import PluginEvent
from pilothouse.functions import USUAL_MAX_FAILURES, PluginFunction
from pilothouse.plugins import Plugin, PluginPoint, PluginState, SettingValue, Timeline
from pilothouse.types import PluginReceipt
from pilothouse.v1 import training_control_pb2 as pb


class RunPlugins(RunHandle):
    """What a Run does with plugins. Thread-safe."""

    def attach(
        self,
        plugin: Plugin | str,
        schedule: str = "",
        *,
        name: str = "",
        timeline: Timeline | str | None = None,
        point: PluginPoint | str | None = None,
        priority: int | None = None,
        required: bool | None = None,
        allowance: float | timedelta | None = None,
        max_failures: int | None = None,
        settings: Mapping[str, SettingValue] | None = None,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
        **more_settings: SettingValue,
    ) -> PluginReceipt:
        """Attaches a plugin; the receipt's `plugin` is the name that it has now.

            run.attach("checkpoint", "each(30 min)")
            run.attach("early-stopping", patience=5)
            run.attach(pilothouse.Plugin("validate", "each(1 epoch)"))

        Args:
            plugin: the name of a kind (House.plugin_kinds() lists them); or a Plugin, which says all that follows up to
                `settings` itself.
            schedule: the times at which to run. Default: the kind's usual.
            name: as in Plugin.
            timeline: as in Plugin.
            point: as in Plugin.
            priority: as in Plugin.
            required: as in Plugin.
            allowance: as in Plugin.
            max_failures: as in Plugin.
            settings: the kind's settings by name.
            at_batch: as in every control.
            note: as in every control.
            request_id: as in every control.
            timeout: as in every control.
            **more_settings: settings whose names are free here.

        Raises:
            PluginKindUnknown, PluginPointUnknown, PluginSettingInvalid, ScheduleInvalid, PluginInvalid,
            PluginAlreadyExists, TooManyPlugins, NoValidationData.
            TypeError: a Plugin and parts of one, or a setting twice.
        """
        parts = {
            "schedule": schedule,
            "name": name,
            "timeline": timeline,
            "point": point,
            "priority": priority,
            "required": required,
            "allowance": allowance,
            "max_failures": max_failures,
            "settings": _merged(settings or {}, more_settings),
        }
        spec = to_spec(_complete(plugin, parts))
        options = self._options(at_batch, note, request_id)
        request = pb.AttachPluginRequest(run_id=self._run_id, plugin=spec, options=options)
        return to_plugin_receipt(self._control("AttachPlugin", request, timeout).receipt)

    def detach(
        self,
        name: str,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> PluginReceipt:
        """Detaches the plugin of this name.

        Raises:
            PluginNotFound: the run has none.
            PluginInvalid: it is part of the run itself.
        """
        options = self._options(at_batch, note, request_id)
        request = pb.DetachPluginRequest(run_id=self._run_id, name=name, options=options)
        return to_plugin_receipt(self._control("DetachPlugin", request, timeout).receipt)

    def reschedule(
        self,
        name: str,
        schedule: str,
        timeline: Timeline | str | None = None,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> PluginReceipt:
        """Gives the plugin of this name another schedule, which counts from where the run is.

        Raises:
            PluginNotFound: the run has none.
            ScheduleInvalid: the schedule cannot be read, or never comes.
            SpecInvalid: there is no such timeline.
            PluginInvalid: the plugin is part of the run itself.
        """
        request = pb.ReschedulePluginRequest(
            run_id=self._run_id,
            name=name,
            schedule=schedule,
            timeline=timeline_number(timeline),
            options=self._options(at_batch, note, request_id),
        )
        return to_plugin_receipt(self._control("ReschedulePlugin", request, timeout).receipt)

    def every(
        self,
        schedule: str = "",
        *,
        timeline: Timeline | str | None = None,
        values: str | Iterable[str] | None = None,
        name: str = "",
        point: PluginPoint | str | None = None,
        priority: int | None = None,
        max_failures: int = USUAL_MAX_FAILURES,
        timeout: float | None = None,
    ) -> Callable[[Callable[[PluginEvent, Any], object]], PluginFunction]:
        """Has a function of this process called whenever the schedule says so: a decorator.

            @run.every("each(500)", values=("loss", "eta"))
            def slow_down(event, run):
                if event.values["loss"] < 0.1:
                    run.set_eta(event.values["eta"] / 2, note="it is nearly there")

        Attaches a plugin of kind "notify", which reports the values, and calls the function with each PluginEvent and
        the run, in a thread of this process. The trainer does not wait for it, so a report may be older than the run
        when the function sees it: event.batch says from when it is. What the function changes by the run it is given
        tells the plugin's name in its origin. The PluginFunction that the function's name stands for afterwards tells
        how it does, and detaches it.

        Where the same function is defined anew for the same run, as by running a notebook's cell again, and no name is
        given, the older one is detached as soon as the newer one is attached. So the newer plugin has another number in
        its name, and a refusal leaves the older function as it was. Functions called "_" are all different.

        Args:
            schedule: the times at which to report, as in Plugin. Default: the usual one of kind "notify".
            timeline: as in Plugin.
            values: what to report, by name: "loss", "eta" or any knob, "epoch", "validation_loss", ….
            name: of the plugin. Default: like the function's, with a number if that is taken.
            point: as in Plugin.
            priority: as in Plugin.
            max_failures: after so many calls in a row that raised, the function is detached; 1 to 1,000.
            timeout: seconds to wait for the receipt. Default: the House's.

        Raises:
            TypeError: there are no parentheses after `every`, or what it decorates cannot be called with an event
                and a run.
            As attach().
        """
        if not isinstance(schedule, str):
            raise TypeError('a schedule is text: @run.every("each(500)")')
        plugin_number(max_failures, "max_failures", 1, 1000)
        parts: dict[str, Any] = {"timeline": timeline, "point": point, "priority": priority, "timeout": timeout}
        if values is not None:
            parts["settings"] = {"values": values if isinstance(values, str) else tuple(values)}

        def decorate(function: Callable[[PluginEvent, Any], object]) -> PluginFunction:
            check_function(function)
            return attach_function(function, self, schedule, name, max_failures, parts)

        return decorate

    def plugins(self, *, timeout: float | None = None) -> list[PluginState]:
        """The plugins of the run, in the order in which they run when they are due at the same boundary.

        print() shows each on a line: when it ran last, how often, and when it is next due. Of a run that has ended, as
        they were at its end; but of one that is LOST, or whose trainer died, as they were last reported: then the
        counts may be older.

        Raises:
            RunNotFound, TrainerUnavailable, Unreachable, DeadlineExceeded.
        """
        answer = self._ask("ListPlugins", pb.ListPluginsRequest(run_id=self._run_id), timeout)
        return [to_plugin_state(plugin) for plugin in answer.plugins]


def _merged(settings: Mapping[str, SettingValue], more: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    if twice := sorted(settings.keys() & more.keys()):
        raise TypeError(f"given twice, in `settings` and as keywords: {', '.join(twice)}")
    return {**settings, **more}


def _complete(plugin: Plugin | str, parts: Mapping[str, Any]) -> Plugin:
    """A Plugin that was given, or one of the kind that was named.

    Raises:
        TypeError: it is neither, or both a Plugin and parts of one were given.
    """
    if isinstance(plugin, str):
        return Plugin(plugin, **parts)
    given = [name for name, value in parts.items() if value not in (None, "", {})]
    if isinstance(plugin, Plugin) and given:
        raise TypeError(f"a Plugin says everything itself; use dataclasses.replace for {', '.join(given)}")
    return plugin
