"""How an optimizer is said."""

from __future__ import annotations

import pytest

import pilothouse
from pilothouse.v1 import optimizer_pb2


def spec_of(service, house, optimizer) -> optimizer_pb2.OptimizerSpec:
    house.start(net="2x1", data="xor.csv", loss="mse", optimizer=optimizer)
    return service.requests["StartRun"][-1].spec.optimizer


@pytest.mark.parametrize("name", [name for name, number in optimizer_pb2.OptimizerKind.items() if number != 0])
def test_every_kind_has_a_name(service, house, name):
    kind = name.removeprefix("OPTIMIZER_KIND_").lower()
    assert spec_of(service, house, kind).kind == optimizer_pb2.OptimizerKind.Value(name)
    assert f'"{kind}"' in pilothouse.Optimizer.__doc__


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam beta1=0.95 weight_decay=1e-2",
        "  Adam\tweight_decay=.01  beta1=0.95",
        pilothouse.Optimizer("adam", beta1=0.95, weight_decay=0.01),
    ],
)
def test_settings_are_said_in_a_text_or_by_name(service, house, optimizer):
    spec = spec_of(service, house, optimizer)
    assert spec.kind == optimizer_pb2.OPTIMIZER_KIND_ADAM
    assert dict(spec.settings) == {"beta1": 0.95, "weight_decay": 0.01}


def test_where_none_is_said_the_service_chooses(service, house):
    house.start(net="2x1", data="xor.csv", loss="mse")
    assert not service.requests["StartRun"][0].spec.HasField("optimizer")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "spec.optimizer.kind"),
        ("adamm", "spec.optimizer.kind"),
        ("unspecified", "spec.optimizer.kind"),
        ("beta1=0.9", "spec.optimizer.kind"),
        ("adam adamw", "spec.optimizer"),
        ("adam beta1", "spec.optimizer"),
        ("adam beta1=", "spec.optimizer"),
        ("adam =0.9", "spec.optimizer"),
        ("adam beta1=high", "spec.optimizer"),
        ("adam beta1=0.9 beta1=0.8", "spec.optimizer"),
    ],
)
def test_what_is_no_optimizer_is_refused_here(service, house, text, field):
    with pytest.raises(pilothouse.SpecInvalid) as caught:
        spec_of(service, house, text)
    assert caught.value.field == field
    assert "StartRun" not in service.requests


@pytest.mark.parametrize("optimizer", [5, ["adam"], pilothouse.Optimizer("adam", beta1="0.9"), pilothouse.Optimizer(5)])
def test_what_is_of_the_wrong_type_is_a_type_error(service, house, optimizer):
    with pytest.raises(TypeError):
        spec_of(service, house, optimizer)
    assert "StartRun" not in service.requests
