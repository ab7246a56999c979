"""A notebook's cell with @run.every that is run again."""

from __future__ import annotations

import grpc
import pytest
from every_testing import ATTACHED_BATCH, PATIENCE, attached_plugin, detachment, events, over, snapshot
from fake_service import Hold, Refusal, output

import pilothouse

TAKEN = Refusal(grpc.StatusCode.ALREADY_EXISTS, "PLUGIN_ALREADY_EXISTS")

CELL = """
import functools

def noted(function):
    @functools.wraps(function)
    def call(event, run):
        return function(event, run)
    return call

@run.every("each(10)", name={name!r})
@noted
def look(event, run):
    seen.append(({version}, event.sequence))
"""


def run_cell(run: pilothouse.Run, seen: list, version: int, *, name: str = "", module: str = "__main__"):
    """The PluginFunction that `look` stands for afterwards."""
    variables = {"run": run, "seen": seen, "__name__": module}
    exec(compile(CELL.format(version=version, name=name), "<cell>", "exec"), variables)
    return variables["look"]


def attached_and_detached(service) -> tuple[list[str], list[str]]:
    return (
        [request.plugin.name for request in service.requests["AttachPlugin"]],
        [request.name for request in service.requests["DetachPlugin"]],
    )


def test_a_function_that_is_defined_anew_takes_the_place_of_the_older_one(service, house, script, run):
    again = Hold()
    script(
        [snapshot(), events(output(8, "look")), again, events(output(9, "look"), detachment(10, "look")), Hold()],
        [snapshot(), events(output(11, "look-2")), Hold()],
    )
    seen = []
    older = run_cell(run, seen, 1)
    older._await(lambda: older.calls == 1 and older._idle(), PATIENCE, "was not called")
    service.answers["AttachPlugin"] = [TAKEN]
    newer = run_cell(house.run("digits"), seen, 2)
    assert newer.name == "look-2"
    assert attached_and_detached(service) == (["look", "look", "look-2"], ["look"])
    again.release()
    older.join(PATIENCE)
    newer._await(lambda: newer.calls == 1 and newer._idle(), PATIENCE, "was not called")
    assert older.ended
    assert not newer.ended
    assert sorted(seen) == [(1, 8), (1, 9), (2, 11)]


def test_a_function_with_a_name_or_of_another_run_or_module_is_left_alone(service, house, script, run):
    script(*([snapshot(), Hold()] for _ in range(4)))
    seen = []
    others = [
        run_cell(run, seen, 1),
        run_cell(run, seen, 2, name="look-well"),
        run_cell(run, seen, 3, module="elsewhere"),
        run_cell(house.run("letters"), seen, 4),
    ]
    assert attached_and_detached(service) == (["look", "look-well", "look", "look"], [])
    assert not any(other.ended for other in others)


def test_functions_that_one_definition_makes_and_lambdas_are_left_alone(service, script, run):
    script(*([snapshot(), Hold()] for _ in range(4)))

    def attach(values):
        @run.every("each(10)", values=values)
        def look(event, run):
            pass

        return look

    others = [attach("loss"), attach("eta")]
    others += [run.every("each(10)")(lambda event, run: 1), run.every("each(10)")(lambda event, run: 2)]
    assert attached_and_detached(service)[1] == []
    assert not any(other.ended for other in others)


def test_functions_called_underscore_are_left_alone(service, script, run):
    script(*([snapshot(), Hold()] for _ in range(2)))

    @run.every("each(10)")
    def _(event, run):
        pass

    first = _

    @run.every("each(20)")
    def _(event, run):
        pass

    assert attached_and_detached(service)[1] == []
    assert not first.ended


def test_a_newer_definition_that_is_refused_leaves_the_older_one_as_it_was(service, script, run):
    script([snapshot(), Hold()])
    older = run_cell(run, [], 1)
    service.answers["AttachPlugin"] = [Refusal(grpc.StatusCode.INVALID_ARGUMENT, "SCHEDULE_INVALID")]
    with pytest.raises(pilothouse.ScheduleInvalid):
        run_cell(run, [], 2)
    assert attached_and_detached(service) == (["look", "look"], [])
    assert not older.ended


def test_a_newer_definition_with_the_name_of_an_older_one_that_is_gone_keeps_it(service, script, run):
    gone = Hold()
    script([snapshot(), gone, events(detachment(9, "look"))], [snapshot(), Hold()])
    older = run_cell(run, [], 1)
    # The scripts go to the watches as they come.
    assert gone.reached.wait(PATIENCE)
    newer = run_cell(run, [], 2)
    gone.release()
    assert over(older)
    assert attached_and_detached(service) == (["look", "look"], [])
    assert not newer.ended


def test_an_older_definition_that_cannot_be_detached_is_told(service, script, run, caplog):
    script([snapshot(), Hold()], [snapshot(), Hold()])
    older = run_cell(run, [], 1)
    service.answers["AttachPlugin"] = [TAKEN]
    service.answers["DetachPlugin"] = [Refusal(grpc.StatusCode.INTERNAL, "JOURNAL_FAILED")]
    newer = run_cell(run, [], 2)
    assert not newer.ended
    assert not older.ended
    assert "look of digits may still be attached" in caplog.text


def test_an_older_definition_whose_house_was_closed_while_its_service_was_away_is_detached(service, script, run):
    script([snapshot(), Hold()], [snapshot(), Hold()])
    with pilothouse.connect(service.address, timeout=PATIENCE) as early:
        older = run_cell(early.run("digits"), [], 1)
        service.stop()
    assert "may still be attached" in repr(older)
    service.start()
    script([snapshot(), Hold()])
    service.requests.clear()
    service.answers["AttachPlugin"] = [TAKEN]
    service.answers["ListPlugins"] = [attached_plugin("look", ATTACHED_BATCH)]
    newer = run_cell(run, [], 2)
    assert attached_and_detached(service) == (["look", "look-2"], ["look"])
    assert "attached" not in repr(older)
    assert not newer.ended
