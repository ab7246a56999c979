"""The remembered passes of run_tidy.py: nothing is checked twice, and nothing that changed is taken on trust."""

import json
import subprocess
from pathlib import Path

import pytest
import run_tidy

NINJA = """
rule compile
  command = c++ -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
build a.o: compile {root}/a.cc
build b.o: compile {root}/b.cc
"""

# Stands in for clang-tidy: says which file it was given, and finds fault with those that contain BAD.
STAND_IN = """#!/bin/sh
[ "$1" = --version ] && echo version 1 && exit
for last; do :; done
basename "$last" >> {root}/checked
! grep -q BAD "$last"
"""


class Project:
    """Two source files, one of which includes a header, built with ninja, and a stand-in for clang-tidy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.build = root / "build/dev"
        self.build.mkdir(parents=True)
        for name, text in {"a.cc": '#include "a.h"\n', "a.h": "int a();\n", "b.cc": "int b();\n"}.items():
            (root / name).write_text(text)
        (root / ".clang-tidy").write_text("Checks: 'x'\n")
        (self.build / "build.ninja").write_text(NINJA.format(root=root))
        commands = [{"file": str(root / f"{n}.cc"), "command": f"c++ -o {n}.o -c {root}/{n}.cc"} for n in "ab"]
        (self.build / "compile_commands.json").write_text(json.dumps(commands))
        self.tidy = root / "tidy"
        self.tidy.write_text(STAND_IN.format(root=root))
        self.tidy.chmod(0o755)

    def run(self) -> tuple[int, list[str]]:
        """The exit status, and which files were looked at."""
        subprocess.run(["ninja", "-C", str(self.build)], check=True, capture_output=True)
        checked = self.root / "checked"
        checked.write_text("")
        status = run_tidy.main(["--root", str(self.root), "--tidy", str(self.tidy), "--jobs", "1"])
        return status, sorted(checked.read_text().split())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_file_that_passed_is_not_checked_again(project: Project) -> None:
    assert project.run() == (0, ["a.cc", "b.cc"])
    assert project.run() == (0, [])


def test_a_changed_header_makes_those_that_include_it_due(project: Project) -> None:
    project.run()
    (project.root / "a.h").write_text("int a(int);\n")
    assert project.run() == (0, ["a.cc"])


def test_changed_rules_make_everything_due(project: Project) -> None:
    project.run()
    (project.root / ".clang-tidy").write_text("Checks: 'y'\n")
    assert project.run() == (0, ["a.cc", "b.cc"])


def test_a_file_with_findings_fails_every_time(project: Project) -> None:
    (project.root / "b.cc").write_text("int b();  // BAD\n")
    assert project.run() == (1, ["a.cc", "b.cc"])
    assert project.run() == (1, ["b.cc"])
