"""clang-tidy over every C++ file of a build that is shipped, each only when something that it depends on has changed.

A file's pass is remembered in build/lint-cache under a key made of everything that decides the outcome: clang-tidy's
version, .clang-tidy, the compile command, and every header that the build saw it include.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from checkout import ROOT

# The compilers' warnings come with the compile command; clang can say more about locks than GCC. That GCC's own library
# uses what it calls deprecated (a sort's buffer), GCC itself does not mind.
EXTRA_ARGUMENTS = tuple(
    f"--extra-arg={word}" for word in ("-Wthread-safety", "-Wno-unknown-warning-option", "-Wno-deprecated-declarations")
)


@dataclass(frozen=True)
class Unit:
    """One source file as one target compiles it. `name` is its path in the checkout."""

    name: str
    source: Path
    command: str
    dependencies: tuple[Path, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        return EXTRA_ARGUMENTS


@dataclass(frozen=True)
class Outcome:
    passed: bool
    output: str
    seconds: float


def recorded_dependencies(build: Path) -> dict[str, tuple[Path, ...]]:
    """Object file → the files it was made from, as ninja recorded them."""
    listing = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], check=True, capture_output=True, text=True)
    dependencies: dict[str, tuple[Path, ...]] = {}
    for block in re.split(r"\n\s*\n", listing.stdout):
        head, *paths = block.strip().splitlines() or [""]
        if match := re.match(r"(\S+): #deps \d+, .*\(VALID\)", head):
            dependencies[match.group(1)] = tuple(build / path.strip() for path in paths)
    return dependencies


def is_test(name: str) -> bool:
    """Whether a file is only for testing. The compilers' warnings and the sanitizers see those too, and half of all the
    time went into GoogleTest's macros."""
    return name.endswith("_test.cc") or name.startswith("tests/") or "/testing/" in name


def units(root: Path, build: Path) -> list[Unit]:
    """Our own source files that are shipped; generated ones are nobody's to correct."""
    dependencies = recorded_dependencies(build)
    found: dict[Path, Unit] = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = Path(entry["file"])
        if source in found or not source.is_relative_to(root) or source.is_relative_to(build):
            continue
        words = shlex.split(entry["command"])
        made = words[words.index("-o") + 1]
        name = str(source.relative_to(root))
        if is_test(name):
            continue
        found[source] = Unit(name, source, entry["command"], dependencies.get(made, ()))
    return sorted(found.values(), key=lambda unit: unit.source)


class Fingerprints:
    """What a file contains, in short: ours by content, the system's by size and time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        path = Path(os.path.normpath(path))
        if path not in self._known:
            self._known[path] = self._look(path)
        return self._known[path]

    def _look(self, path: Path) -> str:
        if path.is_relative_to(self._root):
            return f"{path.relative_to(self._root)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        status = path.stat()
        return f"{path} {status.st_size} {status.st_mtime_ns}"


def key_of(unit: Unit, common: str, fingerprints: Fingerprints) -> str:
    """The key of a pass. Empty if the build knows nothing of the file's headers: such a pass is not remembered."""
    if not unit.dependencies:
        return ""
    parts = [common, unit.command, *unit.arguments]
    parts += [fingerprints.of(path) for path in (unit.source, *unit.dependencies)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def run_tidy(tidy: list[str], build: Path, unit: Unit) -> Outcome:
    started = time.monotonic()
    command = [*tidy, "--quiet", "-p", str(build), *unit.arguments, str(unit.source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # What clang-tidy says on its error channel is a count of suppressed warnings, unless it failed.
    output = done.stdout + (done.stderr if done.returncode else "")
    return Outcome(done.returncode == 0, output, time.monotonic() - started)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    parser.add_argument("--build", default="build/dev", help="a configured and compiled build in the checkout")
    parser.add_argument("--cache", default="build/lint-cache/tidy.json", help="where passes are kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tidy", default=str(ROOT / "build/venv/bin/clang-tidy"), help="the command to run")
    parser.add_argument("only", nargs="*", help="beginnings of paths (service/runs); default: every file")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    arguments = parse_arguments(words)
    root = arguments.root.resolve()
    build, cache = root / arguments.build, root / arguments.cache
    tidy = shlex.split(arguments.tidy)
    version = subprocess.run([*tidy, "--version"], check=True, capture_output=True, text=True).stdout
    common = version + (root / ".clang-tidy").read_text()
    passed: dict[str, str] = json.loads(cache.read_text()) if cache.exists() else {}
    cache.parent.mkdir(parents=True, exist_ok=True)

    fingerprints = Fingerprints(root)
    chosen = [unit for unit in units(root, build) if not arguments.only or unit.name.startswith(tuple(arguments.only))]
    keys = {unit: key_of(unit, common, fingerprints) for unit in chosen}
    due = [unit for unit in chosen if not keys[unit] or passed.get(unit.name) != keys[unit]]

    findings: list[str] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = {pool.submit(run_tidy, tidy, build, unit): unit for unit in due}
        for number, future in enumerate(as_completed(running), start=1):
            unit, outcome = running[future], future.result()
            verdict = "passed" if outcome.passed else "has findings, below"
            print(f"[{number}/{len(due)}] {unit.name} {verdict} ({outcome.seconds:.1f} s)", flush=True)
            if outcome.passed:
                passed[unit.name] = keys[unit]
                cache.write_text(json.dumps(passed, indent=1))
            else:
                findings.append(outcome.output)
    print("\n".join(findings))
    unchanged = len(chosen) - len(due)
    print(f"clang-tidy: {len(chosen)} files, {unchanged} unchanged, {len(due)} checked, {len(findings)} with findings")
    return 1 if findings or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
