"""Torch is optional: who has not installed it is told how."""

from __future__ import annotations

from importlib.util import find_spec

from isodose.errors import MissingExtraError

EXTRA = "learn"


def require_torch(purpose: str) -> None:
    """Make sure that torch is installed.

    Raises
    ------
    MissingExtraError
        If it is not; it names the extra.
    """
    if find_spec("torch") is None:
        raise MissingExtraError(purpose, "torch", EXTRA)
