"""What is said of services that are older than this package."""

from __future__ import annotations

from collections.abc import Mapping

from pilothouse.errors import ServiceOutdated

_RESTART = "restart it with the programs of this version."


def outdated(sign: str, metadata: Mapping[str, str] | None = None) -> ServiceOutdated:
    """The error, for a service that has given a sign of its age: "The service does not know …"."""
    return ServiceOutdated(f"{sign}: it is older than this package. {_RESTART.capitalize()}", metadata=metadata)
