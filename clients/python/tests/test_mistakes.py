"""Mistakes that are easily made, and what says so before anything is sent."""

from __future__ import annotations

import functools
from decimal import Decimal

import numpy as np
import pytest

import pilothouse

# Kinds


@pytest.mark.parametrize("text", ["each(100) validate", "validate each(100)", "validate(100)", "early-stopping 5", " "])
def test_a_kind_with_a_schedule_in_it_is_refused_here_and_told_how_to_write_it(service, house, run, text):
    asking = [
        lambda: run.attach(text),
        lambda: house.start(net="2x1", data="xor.csv", loss="mse", plugins=[text]),
        lambda: house.start(net="2x1", data="xor.csv", loss="mse", plugins=text),
        lambda: pilothouse.Plugin(text),
    ]
    for ask in asking:
        with pytest.raises(pilothouse.PluginKindUnknown) as caught:
            ask()
        assert 'pilothouse.Plugin("validate", "each(100)")' in str(caught.value)
        assert 'run.attach("validate", "each(100)")' in str(caught.value)
        assert caught.value.metadata == {"kind": text}
    assert not service.requests


# Numbers


@pytest.mark.parametrize("text", ["0.1", b"0.1", None, [0.1], 1j, True, np.False_, np.array(True)])
def test_what_is_no_number_is_a_type_error_although_it_may_read_like_one(service, house, run, text):
    with pytest.raises(TypeError, match="eta is a number, not"):
        run.set_eta(text)
    with pytest.raises(TypeError, match="value is a number, not"):
        run.set("eta", text)
    if text is not None:
        with pytest.raises(TypeError, match="eta is a number, not"):
            house.start(net="2x1", data="xor.csv", loss="mse", eta=text)
    assert not service.requests


@pytest.mark.parametrize("value", [True, False, np.True_, np.array(True), "5", 5.0])
def test_what_is_no_whole_number_is_a_type_error(service, run, value):
    asking = {
        "batch": lambda: run.batch_to(value),
        "batches": lambda: run.train(value),
        "at_batch": lambda: run.pause(at_batch=value),
    }
    for name, ask in asking.items():
        with pytest.raises(TypeError, match=f"^{name} is a whole number, not"):
            ask()
    assert not service.requests


@pytest.mark.parametrize("number", [1, 0.5, np.float32(0.5), np.int8(1), np.array(0.5), Decimal("0.5")])
def test_numbers_of_every_kind_are_numbers(service, run, number):
    run.set_eta(number)
    assert service.requests["SetEta"][0].eta == float(number)


# Functions


class Look:
    """Something that can be called, and has methods."""

    def __call__(self, event, run):
        pass

    def once(self):
        pass


def nothing():
    pass


def wrapped(function):
    @functools.wraps(function)
    def wrapper(event, run):
        return function()

    return wrapper


@pytest.mark.parametrize(
    "function",
    [nothing, lambda event: None, lambda event, run, more: None, lambda event, *, run: None, Look().once],
)
def test_a_function_that_cannot_be_called_with_an_event_and_a_run_is_refused_here(service, run, function):
    with pytest.raises(TypeError, match=r"takes an event and a run .* def look\(event, run\); .* takes \("):
        run.every("each(10)")(function)
    assert not service.requests


@pytest.mark.parametrize(
    "function",
    [
        lambda event, run: None,
        lambda *both: None,
        lambda event, run, more=None: None,
        Look(),
        wrapped(nothing),
        functools.partial(lambda first, event, run: None, 1),
        max,  # tells no signature
    ],
)
def test_whatever_can_be_called_with_an_event_and_a_run_is_attached(service, run, function):
    with run.every("each(10)")(function):
        assert len(service.requests["AttachPlugin"]) == 1
