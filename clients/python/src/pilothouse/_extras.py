"""Packages that only some things need: the extras of pilothouse."""

from __future__ import annotations

import importlib
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
            f"{what} needs the package {package}, which is not installed: `pip install {package}`, or install this "
            f"package with its extra [{extra}].",
            metadata={"package": package, "extra": extra},
        ) from None
