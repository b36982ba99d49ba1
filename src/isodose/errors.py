"""What isodose says when an input cannot be used: always the place, what was found and what was expected."""

from __future__ import annotations

from pathlib import Path


class IsodoseError(ValueError):
    """Base of every error that isodose raises on purpose."""


class IsodoseWarning(UserWarning):
    """Base of every warning that isodose issues; an error inside its own tests."""


class InputError(IsodoseError):
    """An input file, field or argument that cannot be used.

    Parameters
    ----------
    field
        The field, tag or argument, named as the user knows it (``beams[0].layers[2].energy_mev_u``).
    found
        What was found there.
    expected
        What would have been right.
    file
        The file, where there is one.
    """

    def __init__(self, field: str, found: object, expected: str, file: str | Path | None = None) -> None:
        self.file = None if file is None else Path(file)
        self.field, self.found, self.expected = field, found, expected
        place = field if file is None else f"{file}: {field}"
        super().__init__(f"{place}: found {found}, expected {expected}")


class OutputError(IsodoseError):
    """A result that could not be written; nothing half-written is left behind."""


class MissingExtraError(IsodoseError):
    """Something that needs a package which only comes with an extra.

    Parameters
    ----------
    purpose
        What needs it.
    package
        The package that is missing.
    extra
        The extra that brings it.
    """

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose}: needs {package}; install it with: pip install 'isodose[{extra}]'")
