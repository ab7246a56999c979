"""Starting a service, told apart from the service itself: a script stands in for the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pilothouse


def program(folder: Path, body: str) -> Path:
    """An executable named pilothoused that does `body`, a piece of Python."""
    path = folder / "pilothoused"
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
    return path


# Serves the scripted service, as the real program's command line says. The signal that ends it is blocked before there
# is any thread, and waited for: a handler could miss it, if it came just before the main thread began to wait.
SERVING = f"""
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
sys.path.insert(0, {str(Path(__file__).parent)!r})
from fake_service import FakeService
print("arguments:", *sys.argv[1:], flush=True)
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
service = FakeService()
service.start()
address = pathlib.Path(options["--address-file"])
address.with_suffix(".new").write_text(service.address + "\\n")
address.with_suffix(".new").rename(address)
signal.sigwait([signal.SIGTERM])
print("stopped", flush=True)
os._exit(0)
"""


def test_a_local_service_is_started_and_ended(tmp_path):
    data = tmp_path / "data"
    with pilothouse.local(binary=program(tmp_path, SERVING), data_dir=data) as house:
        assert house.runs() == []
    log = (data / "pilothoused.log").read_text()
    assert f"--data {data} --listen 127.0.0.1:0" in log
    assert "--stop-runs-on-exit --exit-with-parent" in log
    assert log.endswith("stopped\n")
    house.close()


def test_a_temporary_data_folder_is_removed(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pilothouse.local(binary=program(tmp_path, SERVING)):
        assert list(scratch.iterdir())
    assert not list(scratch.iterdir())


def test_leaving_python_ends_the_service(tmp_path):
    binary = program(tmp_path, SERVING)
    script = f"import pilothouse; pilothouse.local(binary={str(binary)!r}, data_dir={str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert (tmp_path / "pilothoused.log").read_text().endswith("stopped\n")


def test_a_service_that_dies_at_its_start_is_an_error_with_its_last_words(tmp_path):
    binary = program(tmp_path, "print('no room on the disk'); raise SystemExit(3)")
    with pytest.raises(pilothouse.LocalServiceFailed, match=r"(?s)code 3.*no room on the disk"):
        pilothouse.local(binary=binary)


def test_a_service_that_never_serves_is_ended(tmp_path):
    # Of the shell, which has said its process id long before the time is up, however slow the machine is.
    binary = tmp_path / "pilothoused"
    binary.write_text("#!/bin/sh\necho pid $$\nexec sleep 600\n")
    binary.chmod(0o755)
    with pytest.raises(pilothouse.LocalServiceFailed, match="did not begin to serve") as caught:
        pilothouse.local(binary=binary, timeout=5)
    pid = int(caught.value.metadata["log"].split()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_file_that_is_no_program_is_an_error(tmp_path):
    broken = tmp_path / "pilothoused"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(pilothouse.LocalServiceFailed, match="could not be started"):
        pilothouse.local(binary=broken)


def test_the_program_is_looked_for_where_one_says_then_in_the_environment_then_beside_python_then_on_the_path(
    tmp_path, monkeypatch
):
    from pilothouse.local import find_binary

    said, environment, beside, path = (tmp_path / name for name in ("said", "environment", "beside", "path"))
    for folder in (said, environment, beside, path):
        folder.mkdir()
        program(folder, "")
    monkeypatch.setenv("PILOTHOUSE_BIN", str(environment))
    monkeypatch.setattr("sys.executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(path))
    assert find_binary(said) == find_binary(said / "pilothoused") == said / "pilothoused"
    assert find_binary(None) == environment / "pilothoused"
    monkeypatch.delenv("PILOTHOUSE_BIN")
    assert find_binary(None) == beside / "pilothoused"
    (beside / "pilothoused").unlink()
    assert find_binary(None) == path / "pilothoused"


def test_a_link_beside_python_leads_to_the_program(tmp_path, monkeypatch):
    from pilothouse.local import find_binary

    build, environment = tmp_path / "build", tmp_path / "environment"
    build.mkdir()
    environment.mkdir()
    (environment / "python").symlink_to(sys.executable)
    (environment / "pilothoused").symlink_to(program(build, ""))
    monkeypatch.delenv("PILOTHOUSE_BIN", raising=False)
    monkeypatch.setattr("sys.executable", str(environment / "python"))
    assert find_binary(None) == build / "pilothoused"


def test_a_program_that_is_nowhere_is_an_error_that_says_where_it_was_looked_for_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("PILOTHOUSE_BIN", raising=False)
    monkeypatch.setattr("sys.executable", str(tmp_path / "environment" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(pilothouse.LocalServiceFailed) as caught:
        pilothouse.local()
    places = caught.value.metadata["places"].splitlines()
    assert [place.split()[0] for place in places] == [str(tmp_path / "environment"), "$PATH"]
    assert all(place in str(caught.value) for place in places)
    assert "deploy/quickstart --service" in str(caught.value)
    assert "PILOTHOUSE_BIN" in str(caught.value)


def test_a_program_that_is_not_where_one_says_is_looked_for_nowhere_else(tmp_path, monkeypatch):
    program(tmp_path, SERVING)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(pilothouse.LocalServiceFailed, match="nowhere"):
        pilothouse.local()
    with pytest.raises(pilothouse.LocalServiceFailed, match="elsewhere"):
        pilothouse.local(binary=tmp_path / "elsewhere")
