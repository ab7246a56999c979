"""deploy/quickstart does what its help says, and says what it does. PILOTHOUSE_PRESET names the build that it uses."""

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "deploy/quickstart"
BIN = ROOT / "build" / os.environ.get("PILOTHOUSE_PRESET", "release") / "bin"
LIMIT_SECONDS = 540

pytestmark = pytest.mark.timeout(LIMIT_SECONDS + 60)

Quickstart = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "my data"


@pytest.fixture
def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "PILOTHOUSE_DATA": str(data)}


@pytest.fixture
def quickstart(environment: dict[str, str]) -> Iterator[Quickstart]:
    """Calls it and gives what it printed. Nothing is alive afterwards."""

    def call(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [QUICKSTART, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    yield call
    call("--stop-runs")


@pytest.fixture
def pilot(data: Path) -> Callable[..., str]:
    """Calls the program with the service's address and gives what it printed."""

    def call(*arguments: str) -> str:
        address = (data / "address").read_text().strip()
        command = [BIN / "pilot", "--address", address, *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_SECONDS, check=True).stdout

    return call


def start_run(pilot: Callable[..., str], name: str) -> None:
    pilot("start", "--name", name, "--net", "64x16rx10", "--server-file", "digits.csv", "--loss", "cross-entropy")


def typed(said: str, part: str) -> list[str]:
    """The words of the line with this part, as a shell reads them."""
    line = next(line for line in said.splitlines() if part in line)
    return shlex.split(line)


def checkpoints(data: Path, run_id: str) -> list[Path]:
    return list((data / "runs" / run_id / "checkpoints").glob("*.safetensors"))


def test_two_demonstrations_at_once_share_a_service_and_leave_their_pictures(
    quickstart: Quickstart, environment: dict[str, str], data: Path
) -> None:
    both = [
        subprocess.Popen([QUICKSTART], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=LIMIT_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(printed)
    assert sum("already running" in text for text in printed) == 1
    assert all("held-out digits recognised" in text for text in printed)
    pictures = list(data.glob("*.png"))
    assert len(pictures) == 2
    assert all(picture.stat().st_size > 0 for picture in pictures)
    assert "No run is alive." in quickstart("--stop")


def test_a_service_alone_is_started_once_and_says_what_to_type(
    quickstart: Quickstart, pilot: Callable[..., str], data: Path
) -> None:
    first = quickstart("--service")
    address = (data / "address").read_text().strip()
    assert f"running on {address}" in first
    assert f"already running on {address}" in quickstart("--service")
    assert "build/venv/bin/activate" in first
    start = typed(first, "pilot start ")
    assert start[start.index("--data") + 1] == str(data / "files" / "digits.csv")
    assert f"PILOTHOUSE_DATA={data}" in typed(first, " --stop-runs")
    assert (data / "files" / "digits.csv").read_text().count("\n") == 1798
    assert "First light" not in first
    start_run(pilot, "digits")
    assert "digits" in pilot("runs")


def test_stopping_the_service_says_which_runs_live_on_and_stopping_the_runs_ends_them(
    quickstart: Quickstart, pilot: Callable[..., str], data: Path
) -> None:
    quickstart("--service")
    start_run(pilot, "one")
    start_run(pilot, "two")
    for _ in range(2):
        said = quickstart("--stop")
        assert "Alive without a service: 2 runs (one two)." in said
        assert "deploy/quickstart --stop-runs" in said
    said = quickstart("--stop-runs")
    assert "one: stopped" in said
    assert "two: stopped" in said
    assert "No run is alive." in said
    assert checkpoints(data, "one")
    assert checkpoints(data, "two")
    assert quickstart("--stop-runs").startswith("No service of")


def test_a_run_that_cannot_be_stopped_keeps_the_service_and_is_told_apart(
    quickstart: Quickstart, pilot: Callable[..., str], data: Path
) -> None:
    quickstart("--service")
    start_run(pilot, "good")
    start_run(pilot, "stuck")
    in_the_way = data / "runs" / "stuck" / "checkpoints"
    in_the_way.write_text("a file, where the folder of its parameters should be made\n")
    said = quickstart("--stop-runs", code=1)
    assert "good: stopped" in said
    assert "stuck: NOT STOPPED" in said
    assert "the service goes on" in said
    assert re.search(r"^stuck +IDLE", pilot("runs"), re.MULTILINE)
    in_the_way.unlink()
    assert "stuck: stopped" in quickstart("--stop-runs")
    assert checkpoints(data, "stuck")


def test_a_service_that_somebody_else_started_on_the_folder_is_left_alone(quickstart: Quickstart, data: Path) -> None:
    data.mkdir()
    address_file = data.parent / "elsewhere"
    command = [BIN / "pilothoused", "--data", data, "--listen", "127.0.0.1:0", "--address-file", address_file]
    # Its first word in the log is that it serves.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as stranger:
        try:
            assert stranger.stderr is not None
            assert "serving" in stranger.stderr.readline()
            for argument in ("--service", "--stop", "--stop-runs"):
                assert f"kill {stranger.pid}" in quickstart(argument, code=1)
            assert stranger.poll() is None
        finally:
            stranger.terminate()
            stranger.communicate(timeout=LIMIT_SECONDS)


def test_a_port_in_use_is_said_and_another_is_taken(quickstart: Quickstart, pilot: Callable[..., str]) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 50051))
            taken.listen()
        except OSError:
            pass  # Somebody has it already: as good.
        said = quickstart("--service")
    assert "port 50051 is used by another program" in said
    assert "export PILOTHOUSE_ADDRESS=127.0.0.1:" in said
    pilot("runs")


@pytest.mark.parametrize("arguments", [("--nonsense",), ("--stop", "now")])
def test_nonsense_is_refused_with_the_usage(quickstart: Quickstart, arguments: tuple[str, ...]) -> None:
    assert "deploy/quickstart --service" in quickstart(*arguments, code=2)
    assert "deploy/quickstart --service" in quickstart("--help")
