"""A notebook's cell with @run.every that is run again."""

from __future__ import annotations

from every_testing import PATIENCE, detachment, events, snapshot
from fake_service import Hold, output

import pilothouse

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
        [snapshot(), events(output(11, "look")), Hold()],
    )
    seen = []
    older = run_cell(run, seen, 1)
    older._await(lambda: older.calls == 1 and older._idle(), PATIENCE, "was not called")
    newer = run_cell(house.run("digits"), seen, 2)
    assert attached_and_detached(service) == (["look", "look"], ["look"])
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
