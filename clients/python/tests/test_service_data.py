"""Data with its weights and parts, and threads, in a real service. Needs $PILOTHOUSE_BIN, the built programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from service_testing import PATIENCE, XOR_INPUTS, XOR_TARGETS, start_classes, start_xor

import pilothouse

TABLE = np.column_stack([XOR_INPUTS, XOR_TARGETS])
COUNTS = np.array([2.0, 1.0, 3.0, 0.0])


def learnt(run: pilothouse.Run) -> tuple[np.ndarray, np.ndarray]:
    """The losses and the state vector of a run that trains to its target, which ends here."""
    run.wait(timeout=PATIENCE)
    vector = run.state(vector=True).vector
    run.stop()
    return run.losses(points=None).values, vector


# Formats


def write_table(path: Path, delimiter: str) -> Path:
    np.savetxt(path, TABLE, delimiter=delimiter)
    return path


def write_npy(path: Path) -> Path:
    np.save(path, TABLE)
    return path


def write_npz(path: Path, **arrays) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_table(folder / "t.csv", ","),
        lambda folder: write_table(folder / "t.tsv", "\t"),
        lambda folder: write_npy(folder / "t.npy"),
        lambda folder: write_npz(folder / "t.npz", inputs=XOR_INPUTS, targets=XOR_TARGETS),
        lambda folder: write_npz(folder / "t.npz", table=TABLE),
        lambda folder: np.load(write_npz(folder / "t.npz", X=XOR_INPUTS, y=XOR_TARGETS)),
    ],
    ids=["csv", "tsv", "npy", "npz", "npz with a table", "loaded npz"],
)
def test_the_same_examples_are_learnt_alike_however_they_are_brought(real_house, tmp_path, write):
    options = {"loss_every": 1, "batch_to": 50}
    losses, vector = learnt(start_xor(real_house, data=write(tmp_path), **options))
    expected_losses, expected_vector = learnt(start_xor(real_house, **options))
    np.testing.assert_array_equal(losses, expected_losses)
    np.testing.assert_array_equal(vector, expected_vector)
    assert losses[0] == pytest.approx(0.545515713358, abs=1e-9)


def test_an_upload_tells_how_far_it_is_and_the_same_file_is_stored_once(real_house, tmp_path):
    path = write_npy(tmp_path / "t.npy")
    told = []
    first = real_house.upload(path, progress=lambda *both: told.append(both))
    assert told[-1] == (path.stat().st_size, first.total_bytes)
    second = real_house.upload(path)
    assert (second.dataset_id, second.existed) == (first.dataset_id, True)


def test_an_upload_that_is_given_up_stores_nothing(real_house):
    class Enough(Exception):
        pass

    def give_up(sent: int, total: int) -> None:
        raise Enough

    data = (np.random.default_rng(8).normal(size=(100, 2)), np.zeros(100))
    with pytest.raises(Enough):
        real_house.upload(data, progress=give_up)
    assert not real_house.upload(data).existed


# Weights


@pytest.mark.parametrize("standardize", [False, True])
def test_an_example_of_weight_2_counts_as_if_it_were_there_twice(real_house, standardize):
    options = {"loss_every": 1, "batch_to": 100, "standardize": standardize}
    weighted = learnt(start_xor(real_house, weights=COUNTS, **options))
    rows = np.repeat(np.arange(4), COUNTS.astype(int))
    repeated = learnt(start_xor(real_house, data=(XOR_INPUTS[rows], XOR_TARGETS[rows]), **options))
    plain = learnt(start_xor(real_house, **options))
    for ours, theirs in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert not np.allclose(weighted[1], plain[1])


def test_weights_that_are_all_1_change_no_bit(real_house):
    options = {"loss_every": 1, "batch_to": 50}
    weighted = learnt(start_xor(real_house, data=(XOR_INPUTS, XOR_TARGETS, np.ones(4)), **options))
    for ours, theirs in zip(weighted, learnt(start_xor(real_house, **options)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_may_be_a_column_or_an_array_of_a_file(real_house, tmp_path):
    options = {"loss_every": 1, "batch_to": 50}
    expected = learnt(start_xor(real_house, weights=COUNTS, **options))
    table = tmp_path / "t.csv"
    # Before the target, which is the last column.
    columns = np.column_stack([XOR_INPUTS, COUNTS, XOR_TARGETS])
    np.savetxt(table, columns, delimiter=",", header="a,b,weight,y", comments="")
    file = write_npz(tmp_path / "t.npz", inputs=XOR_INPUTS, targets=XOR_TARGETS, weights=COUNTS)
    for given in ({"data": table, "weight_column": "weight"}, {"data": table, "weight_column": -2}, {"data": file}):
        for ours, theirs in zip(learnt(start_xor(real_house, **given, **options)), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_column_of_weights_that_does_not_exist_is_refused(real_house, tmp_path):
    with pytest.raises(pilothouse.ColumnNotFound):
        start_xor(real_house, data=write_table(tmp_path / "t.csv", ","), weight_column="weight")


# Columns that are not learnt from, and names


def write_named(path: Path) -> Path:
    """XOR, with a name for each row, which is no number, and something that is not always there."""
    rows = enumerate(zip(XOR_INPUTS, XOR_TARGETS, strict=True))
    lines = [f"row {i},{a},{'' if i else 7},{b},{y}" for i, ((a, b), y) in rows]
    path.write_text("\n".join(["name,a,extra,b,y", *lines, ""]))
    return path


def test_columns_that_are_ignored_change_no_bit(real_house, tmp_path):
    options = {"loss_every": 1, "batch_to": 50}
    expected = learnt(start_xor(real_house, **options))
    given = {"data": write_named(tmp_path / "t.csv"), "ignored_columns": ["name", 3]}
    for ours, theirs in zip(learnt(start_xor(real_house, **given, **options)), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(pilothouse.DataMalformed, match='"row 0" is not a number'):
        start_xor(real_house, data=given["data"])
    with pytest.raises(pilothouse.SpecInvalid, match="Arrays have no columns that could be ignored") as caught:
        start_xor(real_house, ignored_columns="a")
    assert caught.value.field == "spec.data.ignored_columns"


def test_a_frame_is_predicted_by_the_names_of_its_columns(real_house, tmp_path):
    run = start_xor(real_house, data=write_named(tmp_path / "t.csv"), ignored_columns=["name", "extra"], batch_to=50)
    run.wait()
    assert run.state().facts.input_names == ("a", "b")
    a, b = np.array([[0.5, -1], [2, 3]]), np.array([7, 8])
    expected = run.predict(a)
    frame = pd.DataFrame({"y": ["?", "!"], "b": a[:, 1], "more": b, "a": a[:, 0]})
    for again in (run, real_house.run(run.run_id)):
        np.testing.assert_array_equal(again.predict(frame), expected)
    with pytest.raises(pilothouse.ColumnNotFound, match="'b', which this DataFrame does not have"):
        run.predict(frame[["a", "more"]])
    with pytest.raises(pilothouse.ColumnNotFound, match="'a', which this DataFrame has more than once"):
        run.predict(frame[["a", "a", "b"]])
    numbered = tmp_path / "numbered.csv"
    pd.DataFrame(TABLE, columns=[0, 1, "y"]).to_csv(numbered, index=False)
    by_number = start_xor(real_house, data=numbered, batch_to=1)
    np.testing.assert_array_equal(by_number.predict(pd.DataFrame(a)[[1, 0]]), by_number.predict(a))
    arrays = start_xor(real_house, batch_to=1)
    assert arrays.state().facts.input_names == ()
    np.testing.assert_array_equal(arrays.predict(frame[["a", "b"]]), arrays.predict(a))


# Parts

#: Classes of which each part gets a whole number.
LABELS = np.random.default_rng(5).permutation(np.repeat([0, 1, 2], [200, 70, 30]))
INPUTS = np.array([[0, 3], [3, -2], [-3, -2]])[LABELS] + np.random.default_rng(6).normal(scale=1.5, size=(300, 2))


def start_parts(house: pilothouse.House, **arguments) -> pilothouse.Run:
    told = {"data": (INPUTS, LABELS), "validation": 0.2, "test": "10%", "precision": "float64"}
    return start_classes(house, **told | arguments)


def test_stratified_parts_have_their_share_of_each_class(real_house):
    run = start_parts(real_house, split="stratified")
    facts = run.state().facts
    assert (facts.examples, facts.validation_examples, facts.test_examples) == (210, 60, 30)
    test, validation = run.evaluate(), run.evaluate("validation")
    assert (test.part, test.examples, validation.part, validation.examples) == ("TEST", 30, "VALIDATION", 60)
    assert test.confusion.sum(axis=1).tolist() == [20, 7, 3]
    assert validation.confusion.sum(axis=1).tolist() == [40, 14, 6]
    assert (test.model, test.batch, test.file) == (pilothouse.Model.LAST, 0, "")
    run.stop()


@pytest.mark.parametrize("weights", [None, np.random.default_rng(7).integers(0, 3, size=300)])
def test_the_tail_is_scored_as_numpy_scores_it(real_house, weights):
    run = start_parts(real_house, split="tail", weights=weights, standardize=True, batch_to=100)
    run.wait(timeout=PATIENCE)
    w = np.ones(300) if weights is None else weights
    for part, rows in (("test", slice(270, 300)), ("validation", slice(210, 270))):
        score = run.evaluate(part)
        probabilities, labels = run.predict(INPUTS[rows]), LABELS[rows]
        right = probabilities.argmax(axis=1) == labels
        losses = -np.log(probabilities[np.arange(len(labels)), labels])
        assert score.loss == pytest.approx(np.average(losses, weights=w[rows]), rel=1e-9)
        assert score.accuracy == pytest.approx(np.average(right, weights=w[rows]), rel=1e-12)
        assert score.examples == np.count_nonzero(w[rows])
        assert np.trace(score.confusion) == pytest.approx(score.accuracy * w[rows].sum())
        assert (score.batch, score.r2, score.mae) == (100, None, None)
    run.stop()


def test_numbers_are_scored_by_r2_and_mean_absolute_error(real_house):
    targets = INPUTS.sum(axis=1)
    run = real_house.start(
        net="2x1", data=(INPUTS, targets), loss="mse", precision="float64", test=30, split="tail", batch_to=20
    )
    run.wait(timeout=PATIENCE)
    score = run.evaluate()
    errors = run.predict(INPUTS[270:])[:, 0] - targets[270:]
    assert score.mae == pytest.approx(np.abs(errors).mean(), rel=1e-9)
    assert score.r2 == pytest.approx(1 - np.mean(errors**2) / np.var(targets[270:]), rel=1e-6)
    assert (score.accuracy, score.confusion) == (None, None)
    run.stop()


def test_another_seed_of_the_split_draws_other_examples_and_another_of_the_run_does_not(real_house):
    told = {"initial_state": np.linspace(-1, 1, 51), "validation": None}
    scores = []
    for seeds in ({}, {"split_seed": 1}, {"seed": 1}):
        run = start_parts(real_house, **told, **seeds)
        scores.append(run.evaluate().loss)
        run.stop()
    assert scores[0] != scores[1]
    assert scores[0] == scores[2]


def test_what_is_not_kept_cannot_be_scored(real_house):
    run = start_parts(real_house, validation=None, test=None)
    with pytest.raises(pilothouse.NoTestData):
        run.evaluate()
    with pytest.raises(pilothouse.NoValidationData):
        run.evaluate("validation")
    run.stop()


@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize("size", ["", "100%", "0%", "-5", "1.5", "0.001", "300", "nan", "many", "1e-1", 300, 1e-20])
def test_a_size_that_makes_no_sense_is_refused(real_house, name, size):
    with pytest.raises(pilothouse.SpecInvalid) as caught:
        start_parts(real_house, **{"validation": None, "test": None, name: size})
    assert name in caught.value.field


@pytest.mark.parametrize(
    "arguments",
    [
        {"validation": 200, "test": 100},
        {"threads": 65},
        {"split": "stratified", "net": "2x1", "loss": "mse"},
    ],
)
def test_what_does_not_fit_together_is_refused(real_house, arguments):
    with pytest.raises(pilothouse.SpecInvalid):
        start_parts(real_house, **arguments)


# Threads


def test_more_threads_compute_the_same_bits(real_house):
    one, two = (
        learnt(start_classes(real_house, net="2x64rx64rx3", batch_size=128, loss_every=1, batch_to=60, threads=threads))
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert len(one[0]) == 60
