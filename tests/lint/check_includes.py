"""Includes point one way.

server → rpc → {watch, runs} → journal → proto, channel → loop → {plugin, optim, data, checkpoint, net} → kernels,
clients → proto; never back, and never service ↔ trainer. gRPC stays where calls are made or answered.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from checkout import Finding, report, tracked_files

# Folder → the folders whose headers it may include, besides its own. The longest matching folder decides.
ENGINE = {"trainer/plugin", "trainer/optim", "trainer/data", "trainer/checkpoint", "trainer/net"}
PROTO = {"proto"}
KERNELS = {"trainer/kernels"}
ALLOWED: dict[str, set[str]] = {
    "proto": set(),
    # Folders of the engine may use each other, as long as no circle arises.
    **{folder: PROTO | KERNELS | (ENGINE - {folder}) for folder in ENGINE},
    # Arithmetic, for whoever computes; knows nothing of ours.
    "trainer/kernels": set(),
    "trainer/loop": PROTO | KERNELS | ENGINE,
    "trainer/channel": PROTO | ENGINE | {"trainer/loop"},
    "trainer/replay": PROTO | ENGINE | {"trainer/loop", "trainer/channel"},
    "trainer/program": PROTO | ENGINE | {"trainer/loop", "trainer/channel", "trainer/replay"},
    "trainer": PROTO | ENGINE | {"trainer/loop", "trainer/channel", "trainer/replay", "trainer/program"},
    "service/journal": PROTO,
    "service/security": PROTO,
    # A run publishes to its watchers; what watches knows nothing of runs.
    "service/runs": PROTO | {"service/journal", "service/watch"},
    "service/watch": PROTO | {"service/journal"},
    "service/rpc": PROTO | {"service/journal", "service/runs", "service/watch", "service/security"},
    "service/server": PROTO | {"service/journal", "service/runs", "service/watch", "service/security", "service/rpc"},
    "clients/cpp": PROTO,
}
# `tests` may include everything; unit tests, wherever they stand, may include what tests share.
TEST_SUPPORT = "tests/support"

GRPC_HEADER = re.compile(r"^(grpc/|grpcpp/|grpc\+\+/)|\.grpc\.pb\.h$")
GRPC_FREE = ("trainer/", "proto/support/", "proto/journal/", "service/journal/")
GRPC_ALLOWED = ("trainer/channel/", "proto/support/grpc_error")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')
SOURCE_SUFFIXES = {".cc", ".h", ".inc"}


def folder_of(path: str) -> str | None:
    """The entry of ALLOWED that `path` belongs to, or None: generated headers, the system's headers, tests."""
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:length])
        if folder in ALLOWED:
            return folder
    return None


def includes(file: Path) -> Iterator[tuple[int, str]]:
    """(line number, what is included) for each include of a file."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match.group(1)


def is_unit_test(path: str) -> bool:
    return Path(path).stem.endswith("_test")


def direction_finding(path: str, line: int, included: str) -> Finding | None:
    source = folder_of(path)
    if source is None:
        return None
    if included.startswith("tests/"):
        if is_unit_test(path) and included.startswith(TEST_SUPPORT + "/"):
            return None
        return Finding(path, line, f"{included}: only tests include {TEST_SUPPORT}, and nothing else of tests/")
    target = folder_of(included)
    if target is None or target == source or target in ALLOWED[source]:
        return None
    return Finding(path, line, f"{source} must not include {target} ({included}): includes point one way")


def grpc_finding(path: str, line: int, included: str) -> Finding | None:
    if GRPC_HEADER.search(included) and path.startswith(GRPC_FREE) and not path.startswith(GRPC_ALLOWED):
        return Finding(path, line, f"{included}: gRPC is not to be known here")
    return None


def circles(edges: dict[str, set[str]]) -> Iterator[list[str]]:
    """One circle for each folder that reaches itself, each circle once."""
    seen: set[frozenset[str]] = set()
    for start in sorted(edges):
        paths = [[start]]
        visited = {start}
        while paths:
            path = paths.pop(0)
            for following in sorted(edges.get(path[-1], ())):
                if following == start:
                    if frozenset(path) not in seen:
                        seen.add(frozenset(path))
                        yield [*path, start]
                    paths.clear()
                    break
                if following not in visited:
                    visited.add(following)
                    paths.append([*path, following])


def check(root: Path) -> list[Finding]:
    findings: list[Finding] = []
    edges: dict[str, set[str]] = {}
    for path in tracked_files(root):
        if Path(path).suffix not in SOURCE_SUFFIXES:
            continue
        source = folder_of(path)
        for line, included in includes(root / path):
            found = (direction_finding(path, line, included), grpc_finding(path, line, included))
            findings += [finding for finding in found if finding]
            target = folder_of(included)
            if source and target and source != target and not is_unit_test(path):
                edges.setdefault(source, set()).add(target)
    findings += [
        Finding(circle[0], 0, "folders include each other: " + " → ".join(circle)) for circle in circles(edges)
    ]
    return findings


if __name__ == "__main__":
    sys.exit(report(check, "include directions"))
