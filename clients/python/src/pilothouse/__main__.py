"""`python3 -m pilothouse export`: the history of a run as a file, for shells and for `pilot export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pilothouse._export import ExportFormat
from pilothouse.errors import DeadlineExceeded, PilothouseError, Unreachable
from pilothouse.house import ADDRESS_VARIABLE, DEFAULT_ADDRESS, connect

#: Exit codes, as of pilot: done, refused or not possible, service unreachable. argparse's own is 2, wrong usage.
_DONE, _REFUSED, _UNREACHABLE = 0, 1, 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m pilothouse", description="Tools of the Python package pilothouse."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    export = commands.add_parser(
        "export",
        help="write the history of a run to a file",
        description="Writes the history of a run to a file, which appears under its name once it is complete.",
    )
    export.add_argument(
        "--address",
        metavar="HOST:PORT",
        help=f"where the service is (default: ${ADDRESS_VARIABLE}, else {DEFAULT_ADDRESS})",
    )
    export.add_argument("--run", required=True, metavar="RUN", help="the run's id")
    export.add_argument(
        "--format", choices=list(ExportFormat), help="what to write (default: as the name of PATH ends)"
    )
    export.add_argument("--from", dest="first_batch", type=int, metavar="BATCH", help="only this batch and later ones")
    export.add_argument("--to", dest="last_batch", type=int, metavar="BATCH", help="only this batch and earlier ones")
    export.add_argument("--points", type=int, metavar="N", help="thin losses to at most so many (default: all)")
    export.add_argument(
        "--branch", metavar="NAME", help="a branch of the run, or '*' for everything (default: its present line)"
    )
    export.add_argument(
        "--kinds",
        type=lambda text: text.split(","),
        metavar="KINDS",
        help="only these, separated by commas: loss, status, control, state, plugin, checkpoint",
    )
    export.add_argument("path", type=Path, metavar="PATH", help="the file, or for tensorboard the folder, to write")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        with connect(given.address) as house:
            count = house.run(given.run).export(
                given.path,
                given.format,
                kinds=given.kinds,
                first_batch=given.first_batch,
                last_batch=given.last_batch,
                points=given.points,
                branch=given.branch,
            )
    except (Unreachable, DeadlineExceeded) as error:
        return _complain(error, _UNREACHABLE)
    except (PilothouseError, OSError) as error:
        return _complain(error, _REFUSED)
    print(f"Wrote {count} event{'' if count == 1 else 's'} of run {given.run} to {given.path}.")
    return _DONE


def _complain(error: Exception, code: int) -> int:
    print(f"pilothouse: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
