"""Fields of a matRad machine file, each known by its MATLAB path: ``machine.data(12).Z``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from isodose.errors import InputError


@dataclass(frozen=True, slots=True)
class MatlabStruct:
    """A MATLAB struct of a file.

    Parameters
    ----------
    file
        The file.
    place
        Path of the struct in it, as MATLAB writes it.
    content
        The struct as scipy gives it.
    """

    file: Path
    place: str
    content: Any

    def path(self, name: str) -> str:
        """MATLAB path of a field."""
        return f"{self.place}.{name}"

    def error(self, name: str, found: object, expected: str) -> InputError:
        """Error that names the file and the field."""
        return InputError(self.path(name), found, expected, self.file)

    def has(self, name: str) -> bool:
        """Whether the field is there and not empty, as MATLAB leaves fields that an entry lacks."""
        value = getattr(self.content, name, None)
        return value is not None and np.size(value) > 0

    def text(self, name: str) -> str:
        """Text of a field.

        Raises
        ------
        InputError
            If the field is missing or is no text.
        """
        value = self._value(name, "a text")
        if not isinstance(value, str):
            raise self.error(name, _brief(value), "a text")
        return value

    def number(self, name: str) -> float:
        """Finite number of a field.

        Raises
        ------
        InputError
            If the field is missing or is not one finite number.
        """
        value = self.array(name)
        if value.size != 1:
            raise self.error(name, f"{value.size} numbers", "one number")
        return float(value.ravel()[0])

    def array(self, name: str, *, finite: bool = True) -> NDArray[np.float64]:
        """Numbers of a field, without its dimensions of length 1.

        Raises
        ------
        InputError
            If the field is missing, not numeric or, unless allowed, not finite.
        """
        value = self._value(name, "numbers")
        if np.asarray(value).dtype.kind not in "iuf":
            raise self.error(name, _brief(value), "real numbers")
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
        if finite and not np.all(np.isfinite(array)):
            at = np.argwhere(~np.isfinite(array))[0]
            index = ",".join(str(i + 1) for i in at)
            raise self.error(f"{name}({index})", f"{array[tuple(at)]}", "a finite number")
        return array

    def column(self, name: str, rows: int) -> NDArray[np.float64]:
        """Numbers ``(rows,)`` of a field, none negative.

        Raises
        ------
        InputError
            If they are not, or the field is missing.
        """
        value = self.array(name)
        if value.shape != (rows,):
            raise self.error(name, f"shape {value.shape}", f"a number for each of {rows} depths")
        return self._not_negative(name, value)

    def columns(self, name: str, rows: int, *, finite: bool = True) -> NDArray[np.float64]:
        """Numbers ``(rows, n)`` of a field, which may be stored transposed; none negative.

        Raises
        ------
        InputError
            If they are not, or the field is missing.
        """
        value = self.array(name, finite=finite)
        if value.ndim == 1:
            value = value[:, None]
        if value.ndim == 2 and value.shape[0] != rows:
            value = value.T
        if value.ndim != 2 or value.shape[0] != rows:
            raise self.error(name, f"shape {value.shape}", f"a row for each of {rows} depths")
        return self._not_negative(name, value)

    def struct(self, name: str) -> MatlabStruct:
        """Struct in a field.

        Raises
        ------
        InputError
            If the field is missing or no struct.
        """
        value = self._value(name, "a struct")
        if not _is_struct(value):
            raise self.error(name, _brief(value), "a struct")
        return MatlabStruct(self.file, self.path(name), value)

    def structs(self, name: str) -> list[MatlabStruct]:
        """Structs of a field that is an array of them, counted from 1 in their paths.

        Raises
        ------
        InputError
            If the field is missing, empty or no struct array.
        """
        values = np.atleast_1d(np.asarray(self._value(name, "a struct array"), dtype=object)).ravel()
        for value in values:
            if not _is_struct(value):
                raise self.error(name, _brief(value), "a struct array")
        return [MatlabStruct(self.file, f"{self.path(name)}({i})", v) for i, v in enumerate(values, start=1)]

    def _value(self, name: str, expected: str) -> Any:
        if not self.has(name):
            found = "nothing" if getattr(self.content, name, None) is None else "an empty field"
            raise self.error(name, found, expected)
        return getattr(self.content, name)

    def _not_negative(self, name: str, value: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.any(value < 0.0):
            raise self.error(name, f"{np.nanmin(value):g}", "no negative number")
        return value


def read_machine_struct(path: Path) -> MatlabStruct:
    """Variable ``machine`` of a MATLAB file up to version 7.

    Raises
    ------
    InputError
        If the file cannot be read, is no MATLAB file, is one of version 7.3 (HDF5), or has no such variable.
    """
    try:
        with path.open("rb") as stream:
            content = loadmat(stream, squeeze_me=True, struct_as_record=False, variable_names=["machine"])
    except OSError as error:
        raise InputError("file", error.strerror or error, "a readable file", path) from error
    except NotImplementedError as error:
        raise InputError(
            "file", "a MATLAB 7.3 (HDF5) file", "one saved with save(..., '-v7') in MATLAB", path
        ) from error
    except Exception as error:  # scipy raises errors of any type on damaged files
        found = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError("file", f"{found!r}", "an undamaged MATLAB file", path) from error
    machine = content.get("machine")
    if not _is_struct(machine):
        found = "nothing" if machine is None else _brief(machine)
        raise InputError("machine", found, "the struct of a matRad machine file", path)
    return MatlabStruct(path, "machine", machine)


def _is_struct(value: object) -> bool:
    return hasattr(value, "_fieldnames")


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"{value.dtype} of shape {value.shape}"
    return repr(value)[:60] if isinstance(value, str | int | float) else type(value).__name__
