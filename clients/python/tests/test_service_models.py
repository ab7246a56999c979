"""The best parameters of a run of a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from service_testing import PATIENCE, start_classes

import pilothouse
from pilothouse import Model

POINTS = np.array([[0.0, 3.0], [3.0, -2.0], [-3.0, -2.0], [0.1, 0.2]])
VALIDATE = pilothouse.Plugin("validate", "each(50)", timeline="batches")


class Trained:
    """A run that was validated at batches 50 and 100, kept the best, and went on to 150 without keeping more."""

    def __init__(self, house: pilothouse.House) -> None:
        self.run = start_classes(house, validation=60, test=30, plugins=[VALIDATE, "save-best"], seed=3)
        self.answers = {}
        self.vectors = {}
        for batch in (50, 100, 150):
            self.run.batch_to(batch)
            self.run.wait(timeout=PATIENCE)
            self.answers[batch] = self.run.predict(POINTS)
            self.vectors[batch] = self.run.state(vector=True).vector
            if batch == 100:
                self.run.detach("save-best")

    def losses(self) -> dict[int, float]:
        """What was found by each validation."""
        found = self.run.history(kinds="plugin")
        reports = [event for event in found if isinstance(event, pilothouse.PluginEvent) and event.plugin == "validate"]
        return {event.batch: value for event in reports for name, value in event.values.items() if "loss" in name}


@pytest.fixture
def trained(real_house) -> Iterator[Trained]:
    trained = Trained(real_house)
    yield trained
    if not trained.run.state().status.ended:
        trained.run.stop()


def test_the_best_that_was_kept_answers_and_says_which_it_is(trained):
    run = trained.run
    losses = trained.losses()
    expected = min((50, 100), key=losses.__getitem__)
    best = run.prediction(POINTS, model="best")
    assert (best.model, best.file, best.batch) == (Model.BEST, "saved/best.safetensors", expected)
    np.testing.assert_array_equal(best.outputs, trained.answers[expected])
    last = run.prediction(POINTS)
    assert (last.model, last.file, last.batch) == (Model.LAST, "", 150)
    assert not np.array_equal(last.outputs, best.outputs)
    np.testing.assert_array_equal(run.predict(POINTS, model="best.safetensors"), best.outputs)
    named = run.prediction(POINTS[0], model=best.file)
    assert (named.model, named.file, named.batch) == (Model.UNSPECIFIED, best.file, expected)
    with pytest.raises(pilothouse.NoParameters):
        run.predict(POINTS, model="none.safetensors")
    with pytest.raises(pilothouse.PilothouseError):
        run.predict(POINTS, model="../run.db")


def test_the_best_is_scored_as_it_was_when_it_was_found(trained):
    run = trained.run
    losses = trained.losses()
    best, last = run.evaluate("validation", model="best"), run.evaluate("validation")
    assert best.loss == losses[best.batch]
    assert (last.batch, last.loss) == (150, losses[150])
    test = run.evaluate(model="best")
    assert (test.batch, test.examples, test.file) == (best.batch, 30, "saved/best.safetensors")
    scores = [run.evaluate(part, model=model) for part in ("test", "validation") for model in ("last", "best")]
    run.stop()
    again = [run.evaluate(part, model=model) for part in ("test", "validation") for model in ("last", "best")]
    assert [score.values for score in again] == [score.values for score in scores]
    assert again[0].batch == 150
    np.testing.assert_array_equal(run.predict(POINTS, model="best"), trained.answers[best.batch])


def test_the_state_of_the_best_is_what_it_was(trained):
    state = trained.run.state(vector=True, model="best")
    assert state.batch == 150
    assert (state.model.model, state.model.file) == (Model.BEST, "saved/best.safetensors")
    np.testing.assert_array_equal(state.vector, trained.vectors[state.model.batch])
    assert trained.run.state(model="best").model == state.model
    assert trained.run.state().model is None


def test_a_run_is_forked_at_its_best_and_taken_back_to_it(trained):
    run = trained.run
    best = run.state(model="best").model.batch
    fork = run.fork(at="best", timeout=PATIENCE)
    assert fork.state().parent == pilothouse.Lineage(run.run_id, best, "")
    np.testing.assert_array_equal(fork.state(vector=True).vector, trained.vectors[best])
    assert run.rewind("best", timeout=PATIENCE).value == best
    np.testing.assert_array_equal(run.predict(POINTS), trained.answers[best])
    fork.stop()


def test_the_best_of_what_was_left_behind_is_not_taken_for_the_batch_of_the_present_line(trained):
    run = trained.run
    best = run.state(model="best").model.batch

    def again(branch: str, eta: float, batch: int) -> None:
        run.rewind(best - 1, branch=branch, timeout=PATIENCE)
        run.set_eta(eta)
        if branch == "second":
            run.detach("save-best")
        run.batch_to(batch)
        run.wait(timeout=PATIENCE)

    again("first", 0.05, best)  # is better than what was saved before `best`, too
    vector = run.state(vector=True).vector
    assert not np.array_equal(vector, trained.vectors[best])
    fork = run.fork(at="best", timeout=PATIENCE)
    np.testing.assert_array_equal(fork.state(vector=True).vector, vector)
    fork.stop()
    again("second", 0.01, best + 20)
    assert run.state(model="best").model.batch == best
    for go in (lambda: run.fork(at="best"), lambda: run.rewind("best")):
        with pytest.raises(pilothouse.BatchOutOfRange) as caught:
            go()
        assert caught.value.metadata == {"batch": str(best), "branch": "second"}
    fork = run.fork(at=best, branch="second", timeout=PATIENCE)
    np.testing.assert_array_equal(fork.state(vector=True).vector, vector)
    fork.stop()


def test_without_a_file_of_the_best_its_checkpoint_answers(real_house):
    run = start_classes(real_house, validation=60, plugins=[VALIDATE], seed=3, batch_to=50)
    run.wait(timeout=PATIENCE)
    checkpoint, answer = run.checkpoint(), run.predict(POINTS)
    run.batch_to(70)
    run.wait(timeout=PATIENCE)
    best = run.prediction(POINTS, model="best")
    assert (best.model, best.file, best.batch) == (Model.BEST, checkpoint.file, 50)
    np.testing.assert_array_equal(best.outputs, answer)
    run.stop()


def test_a_run_that_was_never_validated_has_no_best(real_house):
    run = start_classes(real_house, batch_to=10)
    run.wait(timeout=PATIENCE)
    run.checkpoint()
    for ask in (
        lambda: run.predict(POINTS, model="best"),
        lambda: run.state(model="best"),
        lambda: run.fork(at="best"),
        lambda: run.rewind("best"),
    ):
        with pytest.raises(pilothouse.NoParameters):
            ask()
    run.stop()
