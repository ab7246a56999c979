"""A service for this process alone."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pilothouse.errors import LocalServiceFailed
from pilothouse.house import House, open_house

__all__ = ["local"]

_log = logging.getLogger("pilothouse")

BINARY = "pilothoused"
BINARY_VARIABLE = "PILOTHOUSE_BIN"

#: Seconds that a service may take to stop its runs and end before it is killed.
_STOP_TIMEOUT = 30.0
#: The service says by a file that it serves, and a file can only be looked for.
_POLL_INTERVAL = 0.02
_LOG_LINES = 20


def local(*, data_dir: str | Path | None = None, binary: str | Path | None = None, timeout: float = 30.0) -> House:
    """Starts a service on this machine and connects to it. close() stops its runs and ends it, as does leaving Python.

    Args:
        data_dir: where runs and data are kept, and the service's log, pilothoused.log. Default: a temporary folder that
            is removed at close().
        binary: the program pilothoused, or the folder it is in. Default: in the folder $PILOTHOUSE_BIN; where that is
            not set, beside the running Python (as in the environment that deploy/quickstart makes), else on $PATH.
        timeout: seconds that the start, and each call, may take unless it names its own.

    Raises:
        LocalServiceFailed: there is no such program (the text says where it was looked for), or it ended at once (the
            text has the last lines of its log).
    """
    service = _LocalService(find_binary(binary), None if data_dir is None else Path(data_dir))
    try:
        address = service.wait_until_serving(timeout)
    except BaseException:
        service.stop()
        raise
    return open_house(address, timeout, on_close=service.stop)


def find_binary(binary: str | Path | None) -> Path:
    """The program to start.

    Raises:
        LocalServiceFailed: there is none.
    """
    places = _places(binary)
    for _, candidate in places:
        program = candidate / BINARY if candidate.is_dir() else candidate
        if program.is_file() and os.access(program, os.X_OK):
            return program.resolve()
    raise _no_binary([place for place, _ in places])


def _places(binary: str | Path | None) -> list[tuple[str, Path]]:
    """Where to look, in order: what a person calls the place, and a program or a folder."""
    # Whoever says where it is wants that one, and to be told if it is not there.
    if binary is not None:
        return [(str(binary), Path(binary))]
    if folder := os.environ.get(BINARY_VARIABLE):
        return [(f"${BINARY_VARIABLE} ({folder})", Path(folder))]
    # Not resolved: the interpreter of a virtual environment is a link, and what is meant is the environment.
    beside = Path(sys.executable or os.devnull).parent
    search_path = os.environ.get("PATH", os.defpath)
    found = shutil.which(BINARY, path=search_path)
    return [
        (f"{beside} (beside the running Python)", beside),
        (f"$PATH ({search_path})", Path(found) if found else Path(os.devnull)),
    ]


def _no_binary(places: list[str]) -> LocalServiceFailed:
    looked = "".join(f"\n  {place}" for place in places)
    return LocalServiceFailed(
        f"There is no program {BINARY} in any of these places:{looked}\n"
        "In a checkout of Pilothouse, `deploy/quickstart --service` builds it and links it into the environment "
        "build/venv. Then either use that environment (`source build/venv/bin/activate`), or set "
        f"${BINARY_VARIABLE} to the checkout's build/release/bin, or give local() that folder as `binary`.",
        metadata={"places": "\n".join(places)},
    )


class _LocalService:
    """The process, and the folders that exist for it alone."""

    def __init__(self, binary: Path, data_dir: Path | None) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="pilothouse-")
        self._data_dir = Path(self._scratch.name) / "data" if data_dir is None else data_dir
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._address_file = Path(self._scratch.name) / "address"
        self._log_file = self._data_dir / "pilothoused.log"
        command = [
            str(binary),
            *("--data", str(self._data_dir)),
            *("--listen", "127.0.0.1:0"),
            *("--address-file", str(self._address_file)),
            "--stop-runs-on-exit",
            "--exit-with-parent",
        ]
        _log.info("starting %s", " ".join(command))
        try:
            with self._log_file.open("ab") as log:
                # In a session of its own, so that an interrupt typed at this process leaves the service to stop().
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            self._scratch.cleanup()
            raise LocalServiceFailed(f"{binary} could not be started: {error}") from error
        atexit.register(self.stop)

    def wait_until_serving(self, timeout: float) -> str:
        """The address it listens on.

        Raises:
            LocalServiceFailed: it ended, or is not there in time.
        """
        deadline = time.monotonic() + timeout
        while not self._address_file.exists():
            if self._process.poll() is not None:
                raise self._failed(f"pilothoused ended at its start with code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._failed(f"pilothoused did not begin to serve within {timeout:g} seconds")
            time.sleep(_POLL_INTERVAL)
        return self._address_file.read_text().strip()

    def stop(self) -> None:
        """Ends the process with its runs, and removes what is temporary. May be called again."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                _log.warning("pilothoused did not end within %g s and is killed", _STOP_TIMEOUT)
                self._process.kill()
                self._process.wait()
        self._scratch.cleanup()

    def _failed(self, what: str) -> LocalServiceFailed:
        lines = self._log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        said = "\n".join(lines) if lines else "(nothing)"
        return LocalServiceFailed(f"{what}. Its log ends with:\n{said}", metadata={"log": said})
