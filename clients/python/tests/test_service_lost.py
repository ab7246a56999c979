"""Runs of a real service whose trainers are killed. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
from service_testing import PATIENCE, start_xor

import pilothouse

#: Some seconds of training, so that a trainer is killed in the midst of it.
TARGET = 1_000_000


def trainer_of(run: pilothouse.Run) -> int:
    """The process id of the run's trainer: the one whose errors go to the run's log."""
    log = str(Path(run.state().directory, "trainer.log"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "fd" / "2").readlink()) == log:
                return int(process.name)
        except OSError:  # another user's process, or one that has just ended
            continue
    raise AssertionError(f"{run.run_id} has no trainer")


def test_a_run_whose_trainer_is_killed_goes_on_and_whoever_waits_or_steers_notices_nothing(real_house):
    calm, killed = start_xor(real_house), start_xor(real_house)
    for run in (calm, killed):
        run.batch_to(1000)
        run.wait(timeout=PATIENCE)
        run.checkpoint()
        run.batch_to(TARGET)
    os.kill(trainer_of(killed), signal.SIGKILL)
    # Asked again, with the same request_id, until the trainer is there again.
    receipt = killed.set("loss_every", 0, timeout=PATIENCE)
    assert receipt.applied_batch >= 1000
    state = killed.wait(timeout=PATIENCE)
    calm.wait(timeout=PATIENCE)
    assert (state.batch, state.status) == (TARGET, pilothouse.RunStatus.IDLE)
    np.testing.assert_array_equal(killed.state(vector=True).vector, calm.state(vector=True).vector)
    batches = killed.losses(points=None).batches.tolist()
    assert batches == sorted(set(batches))
    statuses = [event.status for event in killed.history(kinds="status")]
    assert pilothouse.RunStatus.LOST in statuses
    for run in (calm, killed):
        run.stop()


def test_a_watch_sees_one_curve_over_the_death_of_a_trainer(real_house):
    run = start_xor(real_house, loss_every=100)
    with run.watch(after_sequence=0, kinds=["loss", "status"], min_interval=0) as watch:
        run.batch_to(1000)
        run.wait(timeout=PATIENCE)
        os.kill(trainer_of(run), signal.SIGKILL)
        run.batch_to(2000, timeout=PATIENCE)
        run.wait(timeout=PATIENCE)
        run.stop()
        seen = list(watch)
    every = [event.batch for event in seen if isinstance(event, pilothouse.LossEvent) and event.batch % 100 == 0]
    assert every == list(range(100, 2001, 100))
    sequences = [event.sequence for event in seen if hasattr(event, "sequence")]
    assert sequences == sorted(set(sequences))
    assert not any(isinstance(event, pilothouse.Gap) for event in seen)
    statuses = [event.status for event in seen if isinstance(event, pilothouse.StatusEvent)]
    assert pilothouse.RunStatus.LOST in statuses
    assert statuses[-1] is pilothouse.RunStatus.STOPPED
