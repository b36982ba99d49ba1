"""A DICOM dataset that names itself, with its place in the file, when it complains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from isodose.errors import InputError
from isodose.patient.dicom_object import required


@dataclass(frozen=True, slots=True)
class Element:
    """A dataset and where it stands.

    Parameters
    ----------
    dataset
        The whole file's dataset or an item of a sequence.
    path
        The file.
    place
        Path of sequences that leads here, with a dot at the end: ``IonBeamSequence[0].``.
    """

    dataset: Dataset
    path: Path
    place: str = ""

    def error(self, keyword: str, found: object, expected: str) -> InputError:
        """Make the error that says what is wrong with an element of this dataset."""
        return InputError(self.place + keyword, found, expected, self.path)

    def has(self, keyword: str) -> bool:
        """Whether an element is there and holds a value."""
        value = self.dataset.get(keyword)
        return value is not None and not (hasattr(value, "__len__") and len(value) == 0)

    def text(self, keyword: str, default: str | None = None) -> str:
        """Text of an element; the default where it is missing, an error where there is none."""
        if default is not None and not self.has(keyword):
            return default
        return str(required(self.dataset, keyword, self.path, self.place)).strip()

    def number(self, keyword: str) -> float:
        """Return the one finite number of an element that must be there."""
        return float(self.numbers(keyword, 1)[0])

    def integer(self, keyword: str) -> int:
        """Return the one whole number of an element that must be there."""
        value = self.number(keyword)
        if value != int(value):
            raise self.error(keyword, value, "a whole number")
        return int(value)

    def numbers(self, keyword: str, count: int | None = None) -> NDArray[np.float64]:
        """Finite numbers of an element that must be there, ``(count,)`` if a count is given."""
        value = required(self.dataset, keyword, self.path, self.place)
        expected = "finite numbers" if count is None else f"{count} finite number{'s' * (count != 1)}"
        try:
            out = np.atleast_1d(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise self.error(keyword, repr(value)[:80], expected) from error
        if out.ndim != 1 or not np.all(np.isfinite(out)) or (count is not None and out.size != count):
            found = repr(value)[:80] if out.size < 10 else f"{out.size} numbers"
            raise self.error(keyword, found, expected)
        return out

    def sequence(self, keyword: str, optional: bool = False) -> list[Element]:
        """Items of a sequence."""
        if optional and not self.has(keyword):
            return []
        items = required(self.dataset, keyword, self.path, self.place)
        return [Element(item, self.path, f"{self.place}{keyword}[{i}].") for i, item in enumerate(items)]
