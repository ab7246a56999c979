"""Which parameters answer, and what they score, as the scripted service says."""

from __future__ import annotations

import math
import pickle

import grpc
import numpy as np
import pytest
from fake_service import Refusal, evaluated, history_page, loss, model_used, output, predicted, run_message

import pilothouse
from pilothouse import DataPart, Model
from pilothouse.v1 import checkpoint_pb2, event_pb2, model_pb2, tensor_pb2
from pilothouse.v1 import training_control_pb2 as pb

ROWS = [[1, 2], [3, 4]]
LAST, BEST = model_used(model_pb2.ModelChoice()), model_used(model_pb2.ModelChoice(model=model_pb2.MODEL_BEST))


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("last", None),
        (Model.LAST, None),
        ("best", model_pb2.ModelChoice(model=model_pb2.MODEL_BEST)),
        (Model.BEST, model_pb2.ModelChoice(model=model_pb2.MODEL_BEST)),
        ("early.safetensors", model_pb2.ModelChoice(saved_file="early.safetensors")),
        ("saved/early.safetensors", model_pb2.ModelChoice(saved_file="early.safetensors")),
    ],
)
def test_each_way_to_choose_parameters_is_asked_for(service, run, model, asked):
    run.predict(ROWS, model=model)
    run.evaluate(model=model)
    run.state(model=model)
    requests = [service.requests[method][-1] for method in ("Predict", "Evaluate", "GetState")]
    assert [request.model if request.HasField("model") else None for request in requests] == [asked] * 3


@pytest.mark.parametrize(("model", "error"), [(None, TypeError), (3, TypeError), ("", ValueError), (" ", ValueError)])
def test_a_choice_that_is_none_is_refused_here(service, run, model, error):
    for ask in (
        lambda: run.predict(ROWS, model=model),
        lambda: run.evaluate(model=model),
        lambda: run.state(model=model),
    ):
        with pytest.raises(error, match='model is "last", "best" or the name of a saved file'):
            ask()
    assert not service.requests


def test_a_prediction_tells_whose_it_is(run):
    last = run.prediction(ROWS)
    assert (last.model, last.file, last.batch, last.mixed) == (Model.LAST, "", 70, False)
    best = run.prediction(ROWS[0], model="best")
    assert (best.model, best.file, best.batch) == (Model.BEST, "saved/best.safetensors", 40)
    assert (last.outputs.shape, best.outputs.shape) == ((2, 1), (1,))
    named = run.prediction(ROWS, model="early.safetensors")
    assert (named.model, named.file) == (Model.UNSPECIFIED, "saved/early.safetensors")
    assert last != run.prediction(ROWS), "arrays have no one answer to whether they are equal"
    assert len({last, best}) == 2


def test_a_prediction_in_pieces_by_changing_parameters_says_so(service, run):
    inputs = np.zeros((300_000, 8), dtype=np.float32)
    assert not run.prediction(inputs).mixed
    later = model_used(model_pb2.ModelChoice(), 71)
    service.answers["Predict"] = [predicted(262_144, LAST), predicted(37_856, later)]
    prediction = run.prediction(inputs)
    assert (prediction.mixed, prediction.batch, prediction.outputs.shape) == (True, 71, (300_000, 1))


def test_an_older_service_answers_with_the_last_parameters_and_is_not_taken_for_one_that_knows_others(service, run):
    old = predicted(2, LAST)
    old.ClearField("model")
    service.answers["Predict"] = [old, old]
    prediction = run.prediction(ROWS)
    assert (prediction.model, prediction.batch) == (Model.LAST, 70)
    with pytest.raises(pilothouse.ServiceOutdated, match="older"):
        run.predict(ROWS, model="best")
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message())] * 2
    with pytest.raises(pilothouse.ServiceOutdated, match="older"):
        run.state(model="best")
    with pytest.raises(pilothouse.ServiceOutdated, match="older"):
        run.fork(at="best")
    assert "Fork" not in service.requests
    scores = evaluated(LAST, loss=0.25)
    scores.ClearField("model")
    service.answers["Evaluate"] = [scores]
    with pytest.raises(pilothouse.ServiceOutdated, match="older"):
        run.evaluate()


def test_a_state_can_be_that_of_the_best_parameters(service, run):
    vector = tensor_pb2.Tensor(
        element_type=tensor_pb2.ELEMENT_TYPE_FLOAT64, shape=[2], data=np.array([1.0, 2.0]).tobytes()
    )
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(batch=70), state=vector, model=BEST)]
    state = run.state(vector=True, model="best")
    assert service.requests["GetState"][0].include_state_vector
    assert (state.batch, state.vector.tolist()) == (70, [1, 2])
    assert state.model == pilothouse.ModelUsed(Model.BEST, "saved/best.safetensors", 40)
    assert run.state().model is None


# Scores


@pytest.mark.parametrize(("part", "number"), [("test", 1), (DataPart.VALIDATION, 2), ("Validation", 2)])
def test_each_part_is_asked_for_by_name(service, run, part, number):
    assert run.evaluate(part).part == part.upper()
    assert service.requests["Evaluate"][0] == model_pb2.EvaluateRequest(run_id="digits", part=number)


def test_the_part_kept_for_the_end_is_evaluated_unless_another_is_named(service, run):
    assert run.evaluate().part is DataPart.TEST
    with pytest.raises(pilothouse.SpecInvalid, match="known are test, validation"):
        run.evaluate("training")
    assert len(service.requests["Evaluate"]) == 1


def test_scores_have_names(service, run):
    scores = {"loss": 0.25, "accuracy": 0.75, "balanced_accuracy": 0.5, "roc_auc": 0.625}
    counts = {"confusion__0__0": 30.0, "confusion__0__1": 10.5, "confusion__1__0": 5.0, "confusion__1__1": 15.0}
    service.answers["Evaluate"] = [evaluated(BEST, **scores, **counts)]
    found = run.evaluate(model="best")
    assert (found.model, found.file, found.batch, found.examples) == (Model.BEST, "saved/best.safetensors", 40, 60)
    assert {name: getattr(found, name) for name in scores} == scores
    assert (found.r2, found.mae) == (None, None)
    assert found.values["confusion.0.1"] == 10.5
    np.testing.assert_array_equal(found.confusion, [[30, 10.5], [5, 15]])
    assert str(found) == (
        "Evaluation(TEST: loss 0.25, accuracy 0.75, balanced_accuracy 0.5, roc_auc 0.625; "
        "of 60 examples, saved/best.safetensors after batch 40)"
    )
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found)


def test_scores_of_numbers_have_no_classes(service, run):
    service.answers["Evaluate"] = [evaluated(LAST, 2, loss=math.inf, r2=-1.5, mae=3)]
    found = run.evaluate("validation")
    assert (found.loss, found.r2, found.mae) == (math.inf, -1.5, 3)
    assert (found.accuracy, found.balanced_accuracy, found.roc_auc, found.confusion) == (None, None, None, None)


def test_thirty_classes_are_counted_each_for_each(service, run):
    counts = {f"confusion__{of}__{taken}": float(100 * of + taken) for of in range(30) for taken in range(30)}
    service.answers["Evaluate"] = [evaluated(LAST, loss=0.5, **counts)]
    confusion = run.evaluate().confusion
    np.testing.assert_array_equal(confusion, np.add.outer(100 * np.arange(30), np.arange(30)))


def test_a_run_that_keeps_nothing_for_the_end_cannot_be_tested(service, run):
    service.answers["Evaluate"] = [Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NO_TEST_DATA")]
    with pytest.raises(pilothouse.NoTestData):
        run.evaluate()


def test_a_prediction_is_shown_on_one_line(run):
    assert repr(run.prediction(ROWS)) == "Prediction(outputs of shape (2, 1), LAST after batch 70)"


# Going back to the best


@pytest.mark.parametrize("best", ["best", Model.BEST])
def test_a_run_is_forked_at_and_taken_back_to_its_best_batch(service, run, best):
    run.fork(best)
    run.rewind(best, branch="worse")
    assert [request.model.model for request in service.requests["GetState"]] == [model_pb2.MODEL_BEST] * 2
    (fork,), (rewind,) = service.requests["Fork"], service.requests["Rewind"]
    assert (fork.batch, fork.branch, rewind.batch, rewind.branch) == (40, "", 40, "worse")


@pytest.mark.parametrize("best", ["best", Model.BEST])
def test_the_best_is_not_looked_for_on_a_branch(service, run, best):
    with pytest.raises(TypeError, match="on the present line, not on a branch"):
        run.fork(best, branch="rewind-1")
    assert not service.requests


def damaged_best(service, **metadata: str) -> None:
    service.answers["GetState"] = [Refusal(grpc.StatusCode.DATA_LOSS, "CHECKPOINT_DAMAGED", **metadata)]


@pytest.mark.parametrize("go", [lambda run: run.fork(at="best"), lambda run: run.rewind("best")])
def test_the_way_to_the_best_batch_does_not_need_its_checkpoint(service, run, caplog, go):
    damaged_best(service, file="checkpoints/batch-30.safetensors", batch="30")
    go(run)
    (request,) = service.requests["Fork"] + service.requests["Rewind"]
    assert request.batch == 30
    assert "those of batch 30, whose file is damaged" in caplog.text


@pytest.mark.parametrize("metadata", [{"file": BEST.file, "batch": "30"}, {"file": "checkpoints/a"}, {"batch": "30"}])
def test_a_damaged_file_of_a_plugin_tells_no_batch(service, run, metadata):
    damaged_best(service, **metadata)
    with pytest.raises(pilothouse.CheckpointDamaged):
        run.rewind("best")
    assert not service.requests["Rewind"]


# A run whose best parameters are those of batch 40, and that was taken back

SAVED = output(4, "best", "saved saved/best.safetensors", kind="save-best")


def branch(name: str, from_batch: int, through_batch: int) -> checkpoint_pb2.Branch:
    return checkpoint_pb2.Branch(name=name, from_batch=from_batch, through_batch=through_batch)


def taken_back(service, *branches: checkpoint_pb2.Branch, file: str = BEST.file) -> None:
    used = model_pb2.ModelUsed(model=model_pb2.MODEL_BEST, file=file, batch=40)
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(branches=branches), model=used)]


@pytest.mark.parametrize("go", [lambda run: run.fork(at="best"), lambda run: run.rewind("best")])
def test_a_batch_of_the_best_is_not_taken_for_one_of_another_line(service, run, go):
    taken_back(service, branch("early", 0, 39), branch("rewind-1", 39, 40), branch("late", 40, 60))
    service.answers["ReadHistory"] = [history_page(loss(3, 40), output(4, "best", kind="validate"))]
    with pytest.raises(pilothouse.BatchOutOfRange) as caught:
        go(run)
    assert str(caught.value) == (
        "The best parameters are of batch 40 of what was left behind as rewind-1, not of the present line; "
        'fork(at=40, branch="rewind-1") goes on from there.'
    )
    assert (caught.value.field, caught.value.metadata) == ("batch", {"batch": "40", "branch": "rewind-1"})
    asked = service.requests["ReadHistory"][0]
    assert (asked.run_id, asked.kinds, asked.branch) == ("digits", [event_pb2.EVENT_KIND_PLUGIN], "")
    assert (asked.first_batch, asked.last_batch) == (40, 40)
    assert "Fork" not in service.requests
    assert "Rewind" not in service.requests


def test_a_batch_at_which_the_present_line_saved_the_best_is_meant(service, run):
    taken_back(service, branch("rewind-1", 30, 50))
    service.answers["ReadHistory"] = [history_page(output(4, "greet"), then="more"), history_page(SAVED)]
    assert run.fork(at="best").state().run_id == "fork"
    assert [request.branch for request in service.requests["ReadHistory"]] == ["", ""]


@pytest.mark.parametrize(
    ("branches", "file"),
    [
        ([branch("after", 40, 60), branch("before", 10, 39)], "saved/best.safetensors"),
        ([branch("rewind-1", 30, 50)], "checkpoints/batch-000000000040.safetensors"),
    ],
)
def test_a_batch_that_is_surely_of_the_present_line_is_not_looked_for(service, run, branches, file):
    taken_back(service, *branches, file=file)
    assert run.rewind("best").value == 40
    assert "ReadHistory" not in service.requests


@pytest.mark.parametrize(
    ("saved_on", "named"),
    [(["first"], "first"), (["second"], "second"), (["first", "second"], "second"), ([], "third")],
)
def test_the_branch_is_named_that_saved_the_best_last(service, run, saved_on, named):
    taken_back(service, *(branch(name, 30, 50) for name in ("first", "second", "third")))
    pages = [history_page(*[SAVED] * (name in saved_on)) for name in ("third", "second", "first")]
    service.answers["ReadHistory"] = [history_page(), *pages]
    with pytest.raises(pilothouse.BatchOutOfRange, match=f'branch="{named}"'):
        run.fork(at="best")
    asked = [request.branch for request in service.requests["ReadHistory"]]
    assert asked == ["", "third", "second", "first"][: len(asked)]


def test_a_run_without_best_parameters_is_not_forked(service, run):
    service.answers["GetState"] = [Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NO_PARAMETERS")] * 2
    for go in (lambda: run.fork(at="best"), lambda: run.rewind("best")):
        with pytest.raises(pilothouse.NoParameters):
            go()
    assert "Fork" not in service.requests
    assert "Rewind" not in service.requests


@pytest.mark.parametrize("batch", ["last", "4000", "", "early.safetensors"])
def test_no_other_text_is_a_batch(service, run, batch):
    for go in (lambda: run.fork(at=batch), lambda: run.rewind(batch)):
        with pytest.raises(TypeError, match='is a whole number or "best", not'):
            go()
    assert not service.requests
