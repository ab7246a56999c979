"""Watches of runs of a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import asyncio
import itertools
import threading

import numpy as np
import pytest
from service_testing import PATIENCE

import pilothouse


def test_the_first_thing_of_a_watch_is_a_snapshot_with_loss_minus_1_at_batch_0(xor):
    with xor.watch() as watch:
        first = next(watch)
    assert isinstance(first, pilothouse.Snapshot)
    assert (first.state.batch, first.state.loss, first.state.eta) == (0, -1, 0.1)


def test_an_idle_run_has_a_heartbeat(xor):
    with xor.watch(max_interval=0.2) as watch:
        beat = next(event for event in watch if isinstance(event, pilothouse.Heartbeat))
    assert (beat.status, beat.batch, beat.loss) == (pilothouse.RunStatus.IDLE, 0, -1)


def test_two_watchers_see_the_same_events_in_the_same_order(xor):
    seen: list[list[int]] = [[], []]

    def watch(mine: list[int]) -> None:
        with xor.watch(after_sequence=0, min_interval=0) as events:
            mine.extend(event.sequence for event in events if hasattr(event, "sequence"))

    threads = [threading.Thread(target=watch, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    xor.batch_to(2000)
    xor.wait(timeout=PATIENCE)
    xor.stop()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen[0] == sorted(set(seen[0]))
    assert seen[0] == seen[1]
    assert seen[0][-1] == xor.state().last_sequence


def test_a_later_watch_goes_on_where_an_earlier_one_ended(xor):
    xor.set("loss_every", 1)
    xor.batch_to(30)
    xor.wait(timeout=PATIENCE)
    with xor.watch(after_sequence=0, min_interval=0) as watch:
        first = [event.sequence for event in itertools.islice(watch, 10) if hasattr(event, "sequence")]
        position = watch.sequence
    assert first[-1] == position
    xor.stop()
    rest = [
        event.sequence for event in xor.watch(after_sequence=position, min_interval=0) if hasattr(event, "sequence")
    ]
    assert first + rest == list(range(1, xor.state().last_sequence + 1))
    with pytest.raises(pilothouse.SequenceOutOfRange):
        next(xor.watch(after_sequence=10**6))


def test_a_watch_is_an_async_iterator(xor):
    async def watch() -> list[pilothouse.Event]:
        async with xor.watch() as events:
            await anext(events)
            await asyncio.to_thread(xor.stop)
            return [event async for event in events]

    statuses = [event.status for event in asyncio.run(watch()) if isinstance(event, pilothouse.StatusEvent)]
    assert statuses[-1] is pilothouse.RunStatus.STOPPED


def test_states_are_reported_on_request_and_every_so_many_batches(xor):
    xor.set("state_every", 20)
    with xor.watch(after_sequence=0, kinds=["state"]) as watch:
        next(watch)
        xor.batch_to(50)
        xor.wait(timeout=PATIENCE)
        asked = xor.state(vector=True)
        states = []
        for event in watch:
            if isinstance(event, pilothouse.StateEvent):
                states.append(event)
                if event.asked:
                    break
    assert [state.batch for state in states] == [0, 20, 40, 50]
    np.testing.assert_array_equal(states[-1].vector, asked.vector)
