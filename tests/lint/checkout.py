"""What the structure checks share: which files there are, and how a finding is told."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, order=True)
class Finding:
    """One sentence about one line (0: about the whole file). `path` is relative to the checkout."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


def tracked_files(root: Path) -> Iterator[str]:
    """Paths relative to `root` of all files under version control, and of new ones that are not ignored."""
    # safe.directory: the checkout may belong to another user than the one who runs the tests.
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    listing = subprocess.run([*command, "--exclude-standard"], check=True, capture_output=True).stdout
    for path in listing.decode().split("\0"):
        if path and (root / path).is_file():
            yield path


def report(check: Callable[[Path], list[Finding]], name: str) -> int:
    """Runs a check on the checkout and prints what it found. Returns the process's exit status."""
    findings = sorted(check(ROOT))
    for finding in findings:
        print(finding)
    print(f"{name}: {len(findings)} findings" if findings else f"{name}: nothing found")
    return 1 if findings else 0
