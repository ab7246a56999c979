"""What the README shows can be typed in and works.

Each ```python or ```sh block that follows the line `<!-- tests/run executes this -->` is run by itself, in an empty
folder, with the programs of the build within reach (PILOTHOUSE_BIN: the folder they are in). Lines for the terminal
find a service, and the table of digits where deploy/quickstart leaves it.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pilothouse
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DIGITS = "build/quickstart/files/digits.csv"
LIMIT_SECONDS = 300
INTERRUPTED = 130
#: What the blocks are run after, so that every answer has the time that a slow machine may need.
PATIENT_LOCAL = f"""import functools, pilothouse
pilothouse.local = functools.partial(pilothouse.local, timeout={LIMIT_SECONDS})
"""
PATIENT_PILOT = f'pilot() {{ command pilot --timeout {LIMIT_SECONDS}s "$@"; }}\n'


def blocks(language: str) -> list[str]:
    marked = re.compile(rf"^<!-- tests/run executes this -->\n+```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return marked.findall(README.read_text(encoding="utf-8")) if README.exists() else []


def environment(**more: str) -> dict[str, str]:
    path = f"{os.environ['PILOTHOUSE_BIN']}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "MPLBACKEND": "Agg", **more}


@pytest.mark.parametrize("language", ["python", "sh"])
def test_the_readme_has_an_example_that_is_executed(language: str) -> None:
    assert blocks(language), f"no {language} block in {README} is marked"


def run_whole(command: list[str], folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=env, timeout=LIMIT_SECONDS, capture_output=True, text=True, check=False
    )
    shown = f"{command[-1]}\n--- printed:\n{done.stdout}\n--- failed with:\n{done.stderr}"
    assert done.returncode == 0, shown


@pytest.mark.timeout(LIMIT_SECONDS + 60)
@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[0])
def test_the_example_works(block: str, tmp_path: Path) -> None:
    run_whole([sys.executable, "-c", PATIENT_LOCAL + block], tmp_path, environment())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[pilothouse.House]:
    """A service with the table of digits, as after deploy/quickstart --service in the folder `tmp_path`."""
    writer = [sys.executable, ROOT / "deploy/write_digits.py", tmp_path / DIGITS]
    subprocess.run(writer, check=True, timeout=LIMIT_SECONDS)
    with pilothouse.local(data_dir=tmp_path / "build/quickstart", timeout=LIMIT_SECONDS) as house:
        yield house


def look_on(line: str, folder: Path, env: dict[str, str]) -> None:
    """Runs what would look on for ever, and interrupts it, as one does with Ctrl-C, when it has shown something."""
    words = line.partition("#")[0].split()
    with subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline(), f"{line} shows nothing"
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=LIMIT_SECONDS)
    assert watching.returncode == INTERRUPTED


@pytest.mark.timeout(LIMIT_SECONDS + 60)
@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.splitlines()[0])
def test_each_line_for_the_terminal_works(block: str, tmp_path: Path, house: pilothouse.House) -> None:
    env = environment(PILOTHOUSE_ADDRESS=house.address)
    lines = block.replace("\\\n", "").splitlines()
    for line in lines:
        if line.startswith("pilot watch"):
            look_on(line, tmp_path, env)
        else:
            run_whole(["bash", "-c", PATIENT_PILOT + line], tmp_path, env)
    assert {run.status for run in house.runs()} == {pilothouse.RunStatus.STOPPED}
