"""How deploy/service.sh, the part of deploy/quickstart about the service, finds and starts it in unusual circumstances.

PILOTHOUSE_PRESET names the build that it uses.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("PILOTHOUSE_PRESET", "release") / "bin"
LIMIT_SECONDS = 300
NETWORK = ("--net", "64x16rx10", "--server-file", "digits.csv", "--loss", "cross-entropy")

SCRIPT = """
set -euo pipefail
data=$1 bin=$2 again=deploy/quickstart
source deploy/common.sh
source deploy/service.sh
take_lock "$data/quickstart.lock"
"""

pytestmark = pytest.mark.timeout(LIMIT_SECONDS + 60)

Shell = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with the table of digits."""
    folder = tmp_path / "data"
    writer = [ROOT / "build/venv/bin/python", ROOT / "deploy/write_digits.py", folder / "files/digits.csv"]
    subprocess.run(writer, check=True, timeout=LIMIT_SECONDS)
    return folder


@pytest.fixture
def shell(data: Path) -> Iterator[Shell]:
    """Runs lines after the functions have been defined, and gives what they printed. Nothing is alive afterwards."""

    def call(lines: str, code: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-c", SCRIPT + lines, "service", data, BIN],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    yield call
    call("stop_runs_and_service")


def start_orphan(data: Path, name: str, trainer: Path) -> None:
    """A run whose service has ended."""
    address_file = data.parent / "orphans-service"
    arguments = ["--data", data, "--listen", "127.0.0.1:0", "--address-file", address_file, "--trainer", trainer]
    with subprocess.Popen([BIN / "pilothoused", *arguments], stderr=subprocess.PIPE, text=True) as service:
        try:
            # Its first word in the log is that it serves.
            assert service.stderr is not None
            assert "serving" in service.stderr.readline()
            address = address_file.read_text().strip()
            pilot = [BIN / "pilot", "--address", address, "start", "--name", name, *NETWORK]
            subprocess.run(pilot, check=True, timeout=LIMIT_SECONDS, stdout=subprocess.DEVNULL)
        finally:
            service.terminate()
            service.communicate(timeout=LIMIT_SECONDS)


def test_a_port_that_is_taken_after_it_was_looked_at_is_left_for_a_free_one(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 50051))
            taken.listen()
        except OSError:
            pass  # Somebody has it already: as good.
        said = shell("port_is_taken() { return 1; }; ensure_service")
    assert "trying once more, on a free port" in said
    assert "\n   running on 127.0.0.1:" in said


def test_a_service_comes_back_where_it_was_unless_another_program_is_there(shell: Shell, data: Path) -> None:
    shell("port_is_taken() { [[ $2 == 50051 ]]; }; ensure_service")
    address = (data / "address").read_text().strip()
    port = address.rpartition(":")[2]
    shell("stop_service")
    # What it would listen on is what matters, so that nobody can take the port before it does.
    launch = 'launch() { echo "asked for $1"; echo "$1" >"$address_file"; pid=$$; }; '
    said = shell("port_is_taken() { [[ $2 == 50051 ]]; }; " + launch + "ensure_service")
    assert f"asked for {address}\n" in said
    assert "another program" not in said
    said = shell("port_is_taken() { true; }; " + launch + "ensure_service")
    assert f"port {port} is used by another program (another service, perhaps): this one takes a free port\n" in said
    assert "asked for 127.0.0.1:0\n" in said
    (data / "last-address").write_text(f"{address}\n")
    said = shell(f"port_is_taken() {{ [[ $2 == {port} ]]; }}; " + launch + "ensure_service")
    assert f"port {port} is used by another program (another service, perhaps): this one takes port 50051\n" in said
    assert "asked for 127.0.0.1:50051\n" in said


@pytest.mark.parametrize("text", ["", "nonsense\n", "127.0.0.1:0\n", "127.0.0.1:1 --insecure\n", "0.0.0.0:50052\n"])
def test_an_address_that_makes_no_sense_is_not_taken_up_again(shell: Shell, data: Path, text: str) -> None:
    (data / "last-address").write_text(text)
    assert shell("wanted_address") == "127.0.0.1:50051\n"


def test_a_service_that_ends_at_once_on_any_port_is_told_with_its_log(shell: Shell, data: Path) -> None:
    (data / "runs").write_text("a file, where a folder should be\n")
    said = shell("ensure_service", code=1)
    assert "FAILED: pilothoused ended at once" in said
    assert "   | " in said
    (data / "runs").unlink()


def test_a_service_whose_address_file_is_gone_is_left_alone(shell: Shell, data: Path) -> None:
    shell("ensure_service")
    pid = shell("service_pid")
    (data / "address").unlink()
    said = shell("sleep() { SECONDS=$((SECONDS + start_limit_seconds)); }; ensure_service", code=1)
    assert "address, which tells where, is gone" in said
    assert "deploy/quickstart --stop, then deploy/quickstart --service" in said
    assert shell("service_pid") == pid
    assert "The service has stopped" in shell("stop_service")
    assert "running on" in shell("ensure_service")


def test_a_service_that_ends_while_it_is_waited_for_is_started_anew(shell: Shell) -> None:
    ended = "true & ended=$!; wait; service_pid() { echo $ended; }; is_ours() { true; }; "
    said = shell(ended + "ensure_service")
    assert "has just ended: starting the service anew" in said
    assert "\n   running on 127.0.0.1:" in said


def test_living_runs_are_seen_behind_a_link(shell: Shell, data: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (data / "runs").symlink_to(tmp_path / "elsewhere")
    start_orphan(data, "afar", BIN / "pilothouse-trainer")
    assert shell("living_runs") == "afar\n"


def test_a_living_run_with_a_trainer_of_ones_own_is_seen(shell: Shell, data: Path, tmp_path: Path) -> None:
    shutil.copy(BIN / "pilothouse-trainer", tmp_path / "my-trainer")
    start_orphan(data, "own", tmp_path / "my-trainer")
    assert shell("living_runs") == "own\n"
    assert "own: stopped" in shell("stop_runs_and_service")
    assert shell("living_runs") == ""
