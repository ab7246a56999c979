"""What the README shows can be typed in and works.

Each ```python block that follows the line `<!-- tests/run executes this -->` is run by itself, in an empty folder, with
the programs of the build within reach (PILOTHOUSE_BIN: the folder they are in).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
MARKED = re.compile(r"^<!-- tests/run executes this -->\n+```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_SECONDS = 120


def blocks() -> list[str]:
    return MARKED.findall(README.read_text(encoding="utf-8")) if README.exists() else []


def test_the_readme_has_an_example_that_is_executed() -> None:
    assert blocks(), f"no python block in {README} is marked"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.splitlines()[0])
def test_the_example_works(block: str, tmp_path: Path) -> None:
    bin_folder = os.environ["PILOTHOUSE_BIN"]
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env=environment,
        timeout=LIMIT_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n--- printed:\n{done.stdout}\n--- failed with:\n{done.stderr}"
