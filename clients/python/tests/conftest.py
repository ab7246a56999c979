from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fake_service import FakeService
from service_testing import start_xor

import pilothouse


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A scripted service that listens."""
    fake = FakeService()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def house(service: FakeService) -> Iterator[pilothouse.House]:
    """A connection to the scripted service."""
    with pilothouse.connect(service.address, timeout=60) as house:
        service.requests.clear()
        yield house


@pytest.fixture
def run(house: pilothouse.House, service: FakeService) -> pilothouse.Run:
    """A handle on the run "digits" of the scripted service."""
    run = house.run("digits")
    service.requests.clear()
    return run


@pytest.fixture
def script(service):
    """Says what the watches answer, one after the other."""

    def write(*watches) -> None:
        service.answers["WatchTraining"] = list(watches)

    return write


@pytest.fixture(scope="session")
def real_house() -> Iterator[pilothouse.House]:
    """A connection to a real service. A binary that is missing where $PILOTHOUSE_BIN says it is fails the tests."""
    if not os.environ.get("PILOTHOUSE_BIN"):
        pytest.skip("PILOTHOUSE_BIN is not set: it names the folder with pilothoused")
    with pilothouse.local(timeout=60) as house:
        yield house


@pytest.fixture
def xor(real_house: pilothouse.House) -> Iterator[pilothouse.Run]:
    """The 2-2-1 tanh network on the four XOR patterns, in a real service."""
    run = start_xor(real_house)
    yield run
    if not run.state().status.ended:
        run.stop()
