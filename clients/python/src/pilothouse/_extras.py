"""Packages that only some things need: the extras of pilothouse."""

from __future__ import annotations

import importlib
import shlex
import sys
from typing import Any

from pilothouse.errors import MissingExtra


def load(package: str, extra: str, what: str) -> Any:
    """The package, imported.

    Raises:
        MissingExtra: it is not installed; the text says what needs it, and how to install it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtra(
            f"{what} needs the package {package}, which is not installed: "
            f"`{shlex.quote(sys.executable)} -m pip install {package}`, or install this package with its extra "
            f"[{extra}].",
            metadata={"package": package, "extra": extra},
        ) from None
