"""The package and a real service together. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import asyncio
import io
import itertools
import math
import threading

import grpc
import numpy as np
import pytest

import pilothouse
from pilothouse.v1 import training_control_pb2 as pb
from pilothouse.v1 import training_control_pb2_grpc as pb_grpc

XOR_INPUTS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
XOR_TARGETS = np.array([-0.5, 0.5, -0.5, 0.5])
XOR_STATE = np.arange(1, 10) / 10

#: Seconds that anything here may take.
PATIENCE = 60


def start_xor(house: pilothouse.House, **arguments) -> pilothouse.Run:
    """The 2-2-1 tanh network on the four XOR patterns, from a state that is known."""
    return house.start(
        **{
            "net": "2x2tx1t",
            "data": (XOR_INPUTS, XOR_TARGETS),
            "loss": "half_mse",
            "eta": 0.1,
            "batch_size": "full",
            "precision": "float64",
            "initial_state": XOR_STATE,
        }
        | arguments
    )


def start_classes(house: pilothouse.House, **arguments) -> pilothouse.Run:
    """A classifier of points in three clusters."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, size=300)
    centres = np.array([[0, 3], [3, -2], [-3, -2]])
    inputs = centres[labels] + generator.normal(scale=0.5, size=(300, 2))
    return house.start(**{"net": "2x8rx3", "data": (inputs, labels), "loss": "cross_entropy"} | arguments)


@pytest.fixture
def xor(real_house):
    run = start_xor(real_house)
    yield run
    if not run.state().status.ended:
        run.stop()


def test_the_losses_of_the_xor_network_are_the_known_ones(real_house):
    run = start_xor(real_house, loss_every=1)
    run.batch_to(50)
    run.wait(timeout=PATIENCE)
    run.stop()
    losses = {
        event.batch: event.value
        for event in run.watch(after_sequence=0, kinds=["loss"], min_interval=0)
        if isinstance(event, pilothouse.LossEvent)
    }
    assert losses[1] == pytest.approx(0.545515713358, abs=1e-9)
    assert losses[2] == pytest.approx(0.540930747879, abs=1e-9)
    assert losses[50] == pytest.approx(0.140791682357, abs=1e-9)


def test_a_run_begins_idle_at_batch_0_with_the_state_it_was_given(xor):
    state = xor.state(vector=True)
    assert (state.status, state.batch, state.target, state.loss) == (pilothouse.RunStatus.IDLE, 0, 0, -1)
    np.testing.assert_array_equal(state.vector, XOR_STATE)
    assert state.facts.parameters == 9
    assert (state.facts.examples, state.facts.inputs, state.facts.outputs) == (4, 2, 1)


def test_the_first_thing_of_a_watch_is_a_snapshot_with_loss_minus_1_at_batch_0(xor):
    with xor.watch() as watch:
        first = next(watch)
    assert isinstance(first, pilothouse.Snapshot)
    assert (first.state.batch, first.state.loss, first.state.eta) == (0, -1, 0.1)


def test_a_target_is_reached_and_its_loss_reported(xor):
    receipt = xor.batch_to(50)
    assert (receipt.applied_batch, receipt.value) == (0, 50)
    state = xor.wait(timeout=PATIENCE)
    assert (state.batch, state.idle_reason) == (50, pilothouse.IdleReason.TARGET_REACHED)
    with xor.watch(after_sequence=0, kinds=["loss"]) as watch:
        at_target = next(event for event in watch if isinstance(event, pilothouse.LossEvent) and event.at_target)
    assert at_target.batch == 50
    assert at_target.value == pytest.approx(0.140791682357, abs=1e-9)


def test_more_batches_are_counted_from_where_the_run_is(xor):
    xor.batch_to(10)
    xor.wait(timeout=PATIENCE)
    assert xor.train(15).value == 25
    assert xor.wait(timeout=PATIENCE).batch == 25


def test_eta_set_while_idle_is_applied_and_reported_at_once(xor):
    with xor.watch(kinds=["control"]) as watch:
        next(watch)
        receipt = xor.set_eta(0.5, note="bolder")
        event = next(event for event in watch if isinstance(event, pilothouse.ControlEvent))
    assert (receipt.applied_batch, receipt.value) == (0, 0.5)
    assert (event.sequence, event.name, event.value) == (receipt.control_id, "eta", 0.5)
    assert (event.previous_value, event.note) == (0.1, "bolder")
    assert xor.state().eta == 0.5


def test_the_same_request_id_gives_the_same_receipt_and_no_second_change(xor):
    first = xor.batch_to(10, request_id="once")
    xor.wait(timeout=PATIENCE)
    xor.batch_to(20)
    assert xor.batch_to(10, request_id="once") == first
    assert xor.state().target == 20
    with pytest.raises(pilothouse.RequestIdReused):
        xor.batch_to(30, request_id="once")


def test_a_control_takes_effect_at_exactly_the_batch_asked_for(xor):
    receipts = []
    thread = threading.Thread(target=lambda: receipts.append(xor.set_eta(0.05, at_batch=30, timeout=PATIENCE)))
    thread.start()
    # Walked there one batch at a time, the run leaves the request all the time it needs to arrive before batch 30.
    while xor.state().batch < 30:
        xor.train(1)
        xor.wait(timeout=PATIENCE)
    thread.join()
    assert (receipts[0].applied_batch, receipts[0].value) == (30, 0.05)
    xor.train(1)
    xor.wait(timeout=PATIENCE)
    with pytest.raises(pilothouse.BatchAlreadyPassed):
        xor.set_eta(0.05, at_batch=30)


def test_a_run_is_paused_and_resumed(xor):
    xor.batch_to(10**9)
    xor.wait(1, timeout=PATIENCE)
    paused = xor.pause()
    state = xor.wait(timeout=PATIENCE)
    assert state.idle_reason is pilothouse.IdleReason.PAUSED
    assert state.batch == paused.applied_batch == paused.value
    assert state.resume_target == 10**9
    assert xor.resume().value == 10**9
    assert xor.wait(state.batch + 1, timeout=PATIENCE).batch > state.batch
    # A target below the batch pauses, too.
    xor.batch_to(1)
    assert xor.wait(timeout=PATIENCE).idle_reason is pilothouse.IdleReason.PAUSED


def test_a_target_equal_to_the_batch_is_acknowledged_and_takes_no_step(xor):
    xor.batch_to(10)
    xor.wait(timeout=PATIENCE)
    receipt = xor.batch_to(10)
    assert (receipt.applied_batch, receipt.value) == (10, 10)
    assert xor.state().batch == 10


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


def test_predictions_are_those_of_the_known_network(xor):
    hidden = np.tanh(XOR_INPUTS @ XOR_STATE[:4].reshape(2, 2) + XOR_STATE[4:6])
    expected = np.tanh(hidden @ XOR_STATE[6:8].reshape(2, 1) + XOR_STATE[8])
    np.testing.assert_allclose(xor.predict(XOR_INPUTS), expected, rtol=1e-12)
    np.testing.assert_allclose(xor.predict(XOR_INPUTS[0]), expected[0], rtol=1e-12)


def test_a_stopped_run_tells_where_it_ended_and_still_predicts(xor):
    xor.batch_to(50)
    xor.wait(timeout=PATIENCE)
    before = xor.predict(XOR_INPUTS)
    vector = xor.state(vector=True).vector
    stopped = xor.stop()
    assert (stopped.final_batch, stopped.value) == (50, 50)
    assert stopped.final_loss == pytest.approx(0.140791682357, abs=1e-9)
    state = xor.state(vector=True)
    assert state.status is pilothouse.RunStatus.STOPPED
    assert state.end_time is not None
    np.testing.assert_array_equal(state.vector, vector)
    np.testing.assert_array_equal(xor.predict(XOR_INPUTS), before)
    for control in (
        xor.stop,
        xor.pause,
        lambda: xor.set_eta(0.1),
        lambda: xor.set("loss_every", 1),
        lambda: xor.batch_to(100),
    ):
        with pytest.raises(pilothouse.RunEnded):
            control()


def test_a_classifier_learns_and_answers_with_probabilities(real_house):
    run = start_classes(real_house, standardize=True, batch_to=500, seed=3)
    run.wait(timeout=PATIENCE)
    run.stop()
    probabilities = run.predict(np.array([[0, 3], [3, -2], [-3, -2]]))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_the_same_description_gives_the_same_run(real_house):
    vectors = []
    for _ in range(2):
        run = start_classes(real_house, batch_to=100, seed=7)
        run.wait(timeout=PATIENCE)
        vectors.append(run.state(vector=True).vector)
        run.stop()
    np.testing.assert_array_equal(*vectors)


def test_a_file_is_uploaded_and_its_columns_chosen_by_name(real_house, tmp_path):
    file = tmp_path / "xor.csv"
    rows = "\n".join(f"{y},{a},{b}" for (a, b), y in zip(XOR_INPUTS, XOR_TARGETS, strict=True))
    file.write_text(f"answer,a,b\n{rows}\n")
    run = start_xor(real_house, data=file, target_columns=["answer"], batch_to=1)
    run.wait(timeout=PATIENCE)
    assert run.stop().final_loss == pytest.approx(0.545515713358, abs=1e-9)


def test_runs_are_listed_newest_first_and_found_by_their_id(real_house):
    first, second = start_xor(real_house), start_xor(real_house, run_id="chosen-name")
    ids = [state.run_id for state in real_house.runs()]
    assert ids[:2] == ["chosen-name", first.run_id]
    assert real_house.run("chosen-name").state().facts.parameters == 9
    with pytest.raises(pilothouse.RunAlreadyExists):
        start_xor(real_house, run_id="chosen-name")
    first.stop()
    second.stop()


def test_a_net_of_layers_is_the_same_as_its_shorthand(real_house):
    layers = [pilothouse.Affine(2, 2), pilothouse.Map("tanh"), pilothouse.Affine(2, 1), pilothouse.Map("tanh")]
    run = start_xor(real_house, net=layers, batch_to=1)
    run.wait(timeout=PATIENCE)
    assert run.stop().final_loss == pytest.approx(0.545515713358, abs=1e-9)


def test_a_loss_that_is_not_finite_is_reported_and_does_not_end_the_run(real_house):
    # Every step doubles the error and more: the loss leaves the range of float64 after some hundreds of steps.
    run = real_house.start(
        net="1x1",
        data=([[1.0], [2.0]], [1.0, 2.0]),
        loss="mse",
        eta=10.0,
        precision="float64",
        batch_size="full",
        batch_to=10**6,
    )
    state = run.wait(timeout=PATIENCE)
    assert (state.status, state.idle_reason) == (pilothouse.RunStatus.IDLE, pilothouse.IdleReason.DIVERGED)
    assert not math.isfinite(state.loss)
    run.stop()


#: Types of elements that are no real numbers.
NOT_REAL = [object, complex, str, bytes]

BAD_STARTS = [
    ({"net": "2x2qx1"}, pilothouse.NetInvalid),
    ({"net": ""}, pilothouse.NetInvalid),
    ({"net": "3x2tx1t", "initial_state": None}, pilothouse.NetDataMismatch),
    ({"initial_state": np.arange(8)}, pilothouse.PilothouseError),
    ({"eta": 0}, pilothouse.EtaInvalid),
    ({"eta": -1}, pilothouse.EtaInvalid),
    ({"eta": math.nan}, pilothouse.EtaInvalid),
    ({"eta": math.inf}, pilothouse.EtaInvalid),
    ({"batch_to": -1}, pilothouse.TargetInvalid),
    ({"run_id": "Not An Id"}, pilothouse.RunIdInvalid),
    ({"batch_size": 0}, pilothouse.SpecInvalid),
    ({"batch_size": 5}, pilothouse.SpecInvalid),
    ({"data": "missing.csv"}, pilothouse.FileNotFound),
    ({"data": "../secret.csv"}, pilothouse.FileNameInvalid),
    ({"data": pilothouse.Dataset("0" * 64, 0, False)}, pilothouse.DatasetNotFound),
    *(({"data": (XOR_INPUTS.astype(kind), XOR_TARGETS)}, pilothouse.ArrayDtypeInvalid) for kind in NOT_REAL),
    *(({"data": (XOR_INPUTS, XOR_TARGETS.astype(kind))}, pilothouse.ArrayDtypeInvalid) for kind in NOT_REAL),
    ({"initial_state": XOR_STATE.astype(complex)}, pilothouse.ArrayDtypeInvalid),
    ({"data": (XOR_INPUTS, XOR_TARGETS[:3])}, pilothouse.ArrayShapeInvalid),
    ({"data": (XOR_INPUTS * np.nan, XOR_TARGETS)}, pilothouse.DataMalformed),
    (
        {"net": "2x2", "loss": "cross_entropy", "initial_state": None, "data": (XOR_INPUTS, [0, 1, 2, 0])},
        pilothouse.LabelOutOfRange,
    ),
    (
        {"net": "2x2t", "loss": "cross_entropy", "initial_state": None, "data": (XOR_INPUTS, [0, 1, 1, 0])},
        pilothouse.NetLossMismatch,
    ),
]


@pytest.mark.parametrize(("arguments", "error"), BAD_STARTS)
def test_a_bad_description_is_refused_with_its_reason_and_leaves_no_run(real_house, arguments, error):
    before = [state.run_id for state in real_house.runs()]
    with pytest.raises(error) as caught:
        start_xor(real_house, **arguments)
    assert caught.value.reason
    assert caught.value.field
    assert [state.run_id for state in real_house.runs()] == before


def test_a_malformed_net_is_told_by_its_character(real_house):
    with pytest.raises(pilothouse.NetInvalid) as caught:
        start_xor(real_house, net="2x2qx1")
    assert caught.value.metadata["position"] == "4"


BAD_TABLES = [
    ("a,b,y\n1,2,3\n1,2\n", {"line": "3"}),
    ("a,b,y\n1,2,3\n1,two,3\n", {"line": "3", "column": "2"}),
    ("a,b,y\n1,nan,3\n", {"line": "2", "column": "2"}),
    ("a,b,y\n", {}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "where"), BAD_TABLES)
def test_a_bad_table_is_refused_with_line_and_column(real_house, tmp_path, text, where):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(pilothouse.DataMalformed) as caught:
        start_xor(real_house, data=file)
    assert caught.value.metadata.items() >= where.items()


def npy(array: np.ndarray) -> bytes:
    """The array as a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def upload_by_hand(house: pilothouse.House, inputs: bytes, targets: bytes) -> pilothouse.Dataset:
    """Sends bytes that House.upload would never send. The service keeps them; who reads them is the trainer."""
    parts = [(pb.DATASET_PART_INPUTS, inputs), (pb.DATASET_PART_TARGETS, targets)]
    with grpc.insecure_channel(house.address) as channel:
        answer = pb_grpc.TrainingControlStub(channel).UploadDataset(
            iter(
                [
                    pb.UploadDatasetRequest(header=pb.DatasetHeader(format=pb.DATASET_FORMAT_ARRAYS)),
                    *(pb.UploadDatasetRequest(chunk=pb.DatasetChunk(part=part, data=data)) for part, data in parts),
                ]
            ),
            timeout=PATIENCE,
        )
    return pilothouse.Dataset(answer.dataset_id, answer.total_bytes, answer.existed)


BAD_FILES = {
    "float16": (npy(XOR_INPUTS.astype(np.float16)), pilothouse.ArrayDtypeInvalid),
    "complex": (npy(XOR_INPUTS.astype(complex)), pilothouse.ArrayDtypeInvalid),
    "bytes": (npy(XOR_INPUTS.astype("S8")), pilothouse.ArrayDtypeInvalid),
    "last byte missing": (npy(XOR_INPUTS)[:-1], pilothouse.DataMalformed),
    "half a header": (npy(XOR_INPUTS)[:20], pilothouse.DataMalformed),
    "no array": (b"1,2\n3,4\n", pilothouse.DataMalformed),
}


@pytest.mark.parametrize(("inputs", "error"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_an_array_file_that_numpy_would_not_send_is_refused_with_its_reason(real_house, inputs, error):
    dataset = upload_by_hand(real_house, inputs, npy(XOR_TARGETS))
    with pytest.raises(error) as caught:
        start_xor(real_house, data=dataset)
    assert caught.value.field.startswith("spec.data")


def test_a_column_that_does_not_exist_is_refused(real_house, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("a,b,y\n1,2,3\n")
    with pytest.raises(pilothouse.ColumnNotFound) as caught:
        start_xor(real_house, data=file, target_columns=["z"])
    assert caught.value.metadata["column"] == "z"


@pytest.mark.parametrize(
    ("control", "error"),
    [
        (lambda run: run.set_eta(0), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(-1), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(math.nan), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(math.inf), pilothouse.EtaInvalid),
        (lambda run: run.batch_to(-1), pilothouse.TargetInvalid),
        (lambda run: run.batch_to(2**53 + 1), pilothouse.TargetInvalid),
        (lambda run: run.train(0), pilothouse.TargetInvalid),
        (lambda run: run.set("momentum", 0.9), pilothouse.KnobUnknown),
        (lambda run: run.set("loss_interval", -1), pilothouse.KnobOutOfRange),
        (lambda run: run.pause(request_id="x" * 129), pilothouse.RequestIdInvalid),
        (lambda run: run.predict(np.zeros((3, 5))), pilothouse.ArrayShapeInvalid),
        (lambda run: next(run.watch(max_interval=0.001)), pilothouse.IntervalInvalid),
    ],
)
def test_a_bad_control_is_refused_and_the_run_untouched(xor, control, error):
    before = xor.state()
    with pytest.raises(error) as caught:
        control(xor)
    assert caught.value.field
    after = xor.state()
    assert (after.eta, after.target, after.last_sequence) == (before.eta, before.target, before.last_sequence)


def test_an_unknown_run_is_not_found(real_house):
    for run_id in ("nobody", "No Body", ""):
        with pytest.raises(pilothouse.RunNotFound):
            real_house.run(run_id)
