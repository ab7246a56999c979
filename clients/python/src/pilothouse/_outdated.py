"""What is said of services that are older than this package. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from pilothouse.errors import ServiceOutdated
from pilothouse.v1 import run_pb2


def outdated(sign: str, metadata: Mapping[str, str] | None = None) -> ServiceOutdated:
    """The error, for a service that has given a sign of its age: "The service does not know …"."""
    return _outdated(sign, "Restart it with the programs of this version.", metadata)


def check_parts(data: run_pb2.DataSpec, run: run_pb2.Run) -> None:
    """That a run that was started has the parts of the examples that were asked for.

    A service passes over what it does not know in a spec, so the run would learn from examples that were to be kept
    from it.

    Raises:
        ServiceOutdated: it lacks one.
    """
    if not run.HasField("facts"):
        return
    missing = []
    if data.WhichOneof("validation") is not None and run.facts.validation_examples == 0:
        missing.append("held out (validation)")
    if data.test_size and run.facts.test_examples == 0:
        missing.append("kept for the end (test)")
    if missing:
        raise _outdated(
            f"The service has started run {run.run_id} WITHOUT examples {' and '.join(missing)}",
            f'Stop the run with house.run("{run.run_id}").stop(), and restart the service with the programs of this '
            "version.",
            {"run_id": run.run_id},
        )


def _outdated(sign: str, advice: str, metadata: Mapping[str, str] | None) -> ServiceOutdated:
    return ServiceOutdated(f"{sign}: it is older than this package. {advice}", metadata=metadata)
